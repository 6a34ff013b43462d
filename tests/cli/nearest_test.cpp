#include "cli/nearest.hpp"

#include <gtest/gtest.h>

#include "cli/options.hpp"

namespace lockstep::cli {
namespace {

TEST(Nearest, EditsAreCounted) {
  EXPECT_EQ(edit_distance("batch", "batch"), 0U);
  EXPECT_EQ(edit_distance("bach", "batch"), 1U);
  EXPECT_EQ(edit_distance("battch", "batch"), 1U);
  EXPECT_EQ(edit_distance("patch", "batch"), 1U);
  EXPECT_EQ(edit_distance("abtch", "batch"), 1U);
  EXPECT_EQ(edit_distance("trian", "train"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("", "lr"), 2U);
}

TEST(Nearest, TheNearestWordIsNamedUnlessItIsFar) {
  const std::vector<std::string> known{"batch", "batch-norm", "learning-rate", "lr"};
  EXPECT_EQ(did_you_mean("learing-rate", known, "--"), "; did you mean --learning-rate?");
  EXPECT_EQ(did_you_mean("bacth", known), "; did you mean batch?");
  EXPECT_EQ(did_you_mean("batchnorm", known), "; did you mean batch-norm?");
  EXPECT_EQ(did_you_mean("lrr", known), "; did you mean lr?");
  EXPECT_EQ(did_you_mean("elephants", known), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

std::string mistake(const Arguments& arguments) {
  Options options("train", "a test", "lockstep train");
  options.add().add_options()("batch", po::value<std::int64_t>(), "")("epochs", po::value<std::int64_t>(), "");
  try {
    options.parse(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no mistake";
}

TEST(Nearest, UnknownOptionsAreNamedWithTheNearest) {
  EXPECT_EQ(mistake({"--bacth", "3"}), "unknown option --bacth; did you mean --batch?\n  See: lockstep train --help");
  EXPECT_EQ(mistake({"--bacth=3"}), "unknown option --bacth; did you mean --batch?\n  See: lockstep train --help");
  EXPECT_EQ(mistake({"--elephants"}), "unknown option --elephants\n  See: lockstep train --help");
  EXPECT_NE(mistake({"--batch", "many"}).find("batch"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::cli
