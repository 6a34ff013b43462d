#include "formats/base64.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

std::string text_of(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// The vectors of RFC 4648, section 10.
TEST(Base64, AgreesWithTheStandard) {
  const std::pair<std::string, std::string> pairs[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : pairs) {
    EXPECT_EQ(base64(std::as_bytes(std::span(plain))), encoded);
    EXPECT_EQ(text_of(from_base64(encoded)), plain);
  }
}

TEST(Base64, WhatIsNoneGivesNothing) {
  for (const char* text : {"Z", "Zg=", "Z!==", "<b>!"}) {
    EXPECT_TRUE(from_base64(text).empty()) << text;
  }
}

}  // namespace
}  // namespace lockstep
