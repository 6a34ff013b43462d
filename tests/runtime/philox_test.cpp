#include "runtime/philox.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

/// Known answers of Philox4x32-10 (Random123, kat_vectors).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627E8D5U, 0xE169C58DU, 0xBC57AC4CU, 0x9B00DBD8U}));
  EXPECT_EQ(philox({0xFFFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFFU}, {0xFFFFFFFFU, 0xFFFFFFFFU}),
            (PhiloxCounter{0x408F276DU, 0x41C83B0EU, 0xA20BC7C6U, 0x6D5451FDU}));
  EXPECT_EQ(philox({0x243F6A88U, 0x85A308D3U, 0x13198A2EU, 0x03707344U}, {0xA4093822U, 0x299F31D0U}),
            (PhiloxCounter{0xD16CFE09U, 0x94FDCCEBU, 0x5001E420U, 0x24126EA1U}));
}

TEST(Philox, KeysDifferBySeedPurposeAndName) {
  const PhiloxKey key = philox_key(1, "dropout", "layer1");
  EXPECT_NE(key, philox_key(2, "dropout", "layer1"));
  EXPECT_NE(key, philox_key(1, "order", "layer1"));
  EXPECT_NE(key, philox_key(1, "dropout", "layer2"));
  EXPECT_NE(philox_key(1, "a", "b/c"), philox_key(1, "a/b", "d"));
}

TEST(Philox, UnitNumbersLieInZeroToOne) {
  EXPECT_EQ(unit_float(0), 0.0F);
  EXPECT_LT(unit_float(0xFFFFFFFFU), 1.0F);
  EXPECT_EQ(unit_double(0, 0), 0.0);
  EXPECT_LT(unit_double(0xFFFFFFFFU, 0xFFFFFFFFU), 1.0);
}

}  // namespace
}  // namespace lockstep
