#include "cli/options.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace lockstep::cli {
namespace {

TEST(Options, BytesHaveUnits) {
  EXPECT_EQ(parse_bytes("4096"), 4096U);
  EXPECT_EQ(parse_bytes("64MiB"), std::size_t{64} << 20);
  EXPECT_EQ(parse_bytes("1.5GB"), 1500000000U);
  EXPECT_THROW(static_cast<void>(parse_bytes("64 parsecs")), UsageError);
  EXPECT_THROW(static_cast<void>(parse_bytes("-1MB")), UsageError);
  EXPECT_THROW(static_cast<void>(parse_bytes("")), UsageError);
}

TEST(Options, TimesHaveUnits) {
  EXPECT_EQ(parse_seconds("30s"), 30);
  EXPECT_EQ(parse_seconds("2m"), 120);
  EXPECT_EQ(parse_seconds("1h"), 3600);
  EXPECT_EQ(parse_seconds("0.5"), 0.5);
  EXPECT_EQ(parse_seconds("1-02:00:30"), 86400 + 7200 + 30);
  EXPECT_EQ(parse_seconds("02:00:00"), 7200);
  EXPECT_THROW(static_cast<void>(parse_seconds("2:00")), UsageError) << "minutes or hours?";
  EXPECT_THROW(static_cast<void>(parse_seconds("1-02:00:00x")), UsageError);
  EXPECT_THROW(static_cast<void>(parse_seconds("soon")), UsageError);
}

TEST(Options, ListsOfWidths) {
  EXPECT_EQ(parse_list("256,128"), (std::vector<std::int64_t>{256, 128}));
  EXPECT_TRUE(parse_list("").empty());
  EXPECT_THROW(static_cast<void>(parse_list("256,")), UsageError);
  EXPECT_THROW(static_cast<void>(parse_list("256,x")), UsageError);
  EXPECT_THROW(static_cast<void>(parse_list("0")), UsageError);
}

TEST(Options, WhatMayBeGivenAgainIsWrittenALineEach) {
  const auto add = [](Options& options) { options.add().add_options()("input", po::value<std::vector<std::string>>(), ""); };
  Options options("train", "a test", "lockstep train");
  add(options);
  ASSERT_TRUE(options.parse({"--input", "a=/x:nhwc", "--input", "b=/y"}));
  const std::string file = testing::TempDir() + "options_test_lists.ini";
  std::ofstream(file) << options.ini();
  Options again("train", "a test", "lockstep train");
  add(again);
  ASSERT_TRUE(again.parse({"--config", file}));
  EXPECT_EQ(again.values()["input"].as<std::vector<std::string>>(), (std::vector<std::string>{"a=/x:nhwc", "b=/y"}));
}

class ParsedOptions : public testing::Test {
 protected:
  ParsedOptions() : options("train", "a test", "lockstep train") {
    options.add().add_options()("batch", po::value<std::int64_t>()->default_value(128), "")("lr", po::value<double>()->default_value(0.05),
                                                                                            "")("quiet", po::bool_switch(), "");
  }
  Options options;
};

TEST_F(ParsedOptions, CommandLineWinsOverFileAndFileOverDefault) {
  const std::string file = testing::TempDir() + "options_test.ini";
  std::ofstream(file) << "batch = 32\nlr = 0.5\n";
  ASSERT_TRUE(options.parse({"--config", file, "--batch", "64"}));
  EXPECT_EQ(options.values()["batch"].as<std::int64_t>(), 64);
  EXPECT_EQ(options.values()["lr"].as<double>(), 0.5);
  EXPECT_FALSE(options.values()["quiet"].as<bool>());
}

TEST_F(ParsedOptions, WhatIsWrittenReadsBack) {
  ASSERT_TRUE(options.parse({"--batch", "77", "--lr", "0.1", "--quiet"}));
  const std::string file = testing::TempDir() + "options_test_again.ini";
  std::ofstream(file) << options.ini();
  Options again("train", "a test", "lockstep train");
  again.add().add_options()("batch", po::value<std::int64_t>(), "")("lr", po::value<double>(), "")("quiet", po::bool_switch(), "");
  ASSERT_TRUE(again.parse({"--config", file}));
  EXPECT_EQ(again.values()["batch"].as<std::int64_t>(), 77);
  EXPECT_EQ(again.values()["lr"].as<double>(), 0.1);
  EXPECT_TRUE(again.values()["quiet"].as<bool>());
}

TEST_F(ParsedOptions, MistakesAreNamed) {
  EXPECT_THROW(options.parse({"--bach", "64"}), UsageError);
  EXPECT_THROW(options.parse({"--batch", "many"}), UsageError);
  EXPECT_THROW(options.parse({"--batch"}), UsageError);
  EXPECT_THROW(options.parse({"--config", "/nonexistent/options.ini"}), UsageError);
}

}  // namespace
}  // namespace lockstep::cli
