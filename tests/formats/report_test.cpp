#include "formats/report.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <regex>

#include "data/sha256.hpp"
#include "formats/base64.hpp"
#include "formats/html.hpp"
#include "formats/report_parts.hpp"
#include "formats/run_sample.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string page_of(const std::filesystem::path& folder) {
  const RunFiles run = read_run(folder);
  return report({&run, 1});
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

void expect_all(const std::string& page, std::initializer_list<std::string> parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
}

TEST(Html, NumbersAreShortAndExactEnough) {
  EXPECT_EQ(number(1234567), "1,234,567");
  EXPECT_EQ(number(-12345.6), "-12,346");
  EXPECT_EQ(number(3456.7), "3,457");
  EXPECT_EQ(number(0.0842349), "0.08423");
  EXPECT_EQ(number(1.2e-5), "1.2e-05");
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(std::nan("")), "–");
  EXPECT_EQ(percent(0.91637), "91.64 %");
  EXPECT_EQ(duration(0.0234), "23 ms");
  EXPECT_EQ(duration(16.62), "16.6 s");
  EXPECT_EQ(duration(200), "3 min 20 s");
  EXPECT_EQ(duration(7500), "2 h 05 min");
}

TEST(Html, PicturesHoldTheirPixels) {
  const std::vector<std::byte> planes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}, std::byte{6}};  // RGB of 1 x 2
  const std::string address = png(planes, 3, 1, 2);
  const std::string start = "data:image/png;base64,";
  ASSERT_TRUE(address.starts_with(start));
  const std::vector<std::byte> file = from_base64(address.substr(start.size()));
  const auto u32 = [&](std::size_t at) {
    return std::to_integer<std::uint32_t>(file[at]) << 24 | std::to_integer<std::uint32_t>(file[at + 1]) << 16 |
           std::to_integer<std::uint32_t>(file[at + 2]) << 8 | std::to_integer<std::uint32_t>(file[at + 3]);
  };
  EXPECT_EQ(u32(16), 2u);  // width, height
  EXPECT_EQ(u32(20), 1u);
  EXPECT_EQ(file[25], std::byte{2});  // RGB
  const std::size_t data = 8 + 12 + 13 + 8;
  std::vector<Bytef> lines(7);
  uLongf length = lines.size();
  ASSERT_EQ(uncompress(lines.data(), &length, reinterpret_cast<const Bytef*>(file.data() + data), u32(data - 8)), Z_OK);
  EXPECT_EQ(lines, (std::vector<Bytef>{0, 1, 3, 5, 2, 4, 6}));
  const std::uint32_t sum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(file.data() + data - 4), u32(data - 8) + 4));
  EXPECT_EQ(u32(data + u32(data - 8)), sum);
}

TEST(Report, ShowsAllOfARun) {
  const ScratchFolder scratch;
  const std::string page = page_of(whole_run(scratch, "first"));
  expect_all(page, {"<title>first · Lockstep</title>", "best validation loss</dt><dd>0.6<", "87.50 %", "<code>11bb</code>",
                    "test accuracy</dt><dd>70.00 %", "epoch (10 steps each)"});
  for (const char* chart : {"Loss", "Validation", "Learning rate", "Speed"}) {
    EXPECT_EQ(times(page, std::string("<h3>") + chart + "</h3>"), 1u) << chart;
  }
  EXPECT_EQ(times(page, "<h3>Gradient norm"), 0u);  // it is nowhere known
  EXPECT_NE(page.find("data-name=\"training, step by step\" data-x=\"0.2 0.4"), std::string::npos);
  // 10 lines of 0.2, 0.06, 0.05, 0.05 s and 0.4 in all
  expect_all(page, {"computing<b>50.00 %</b> 2.0 s", "updating<b>15.00 %</b> 600 ms", "exchanging<b>12.50 %</b> 500 ms",
                    "waiting for data<b>12.50 %</b> 500 ms", "other<b>10.00 %</b> 400 ms"});
  expect_all(
      page, {"70.00 % of 20 test samples", "coat said to be shirt: 2, 20.00 %", "src=\"data:image/png;base64,", "shirt <small>label coat"});
  expect_all(page, {"<dt>batch</dt><dd>20</dd>"});
}

TEST(Report, NeedsNothingButMetrics) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  const std::string page = page_of(scratch.path());
  expect_all(page, {"<h3>Loss</h3>", "<h3>Speed</h3>", "training steps<b>83.33 %</b>", "waiting for data<b>16.67 %</b>"});
  for (const char* section : {"Confusion matrix", "Samples", "Settings"}) {
    EXPECT_EQ(times(page, std::string("<h2>") + section), 0u) << section;
  }
}

TEST(Report, OfARunBeforeItsFirstEpochCountsInSteps) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", "");
  put(scratch / "steps.jsonl", step_line(1, 3) + step_line(2, 2));
  const std::string page = page_of(scratch.path());
  expect_all(page, {"<p class=\"x-title\">step</p>", "data-x=\"1 2\" data-y=\"3 2\""});
  put(scratch / "steps.jsonl", "");
  EXPECT_EQ(times(page_of(scratch.path()), "<figure"), 0u);  // and of one that has no step yet, nothing
}

TEST(Report, ShowsNumbersAsATable) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  put(scratch / "samples.json", R"({"task":"numbers","classes":[],"samples":[{"index":3,"shape":[2],"layout":"flat","values":[1.5,-2],)"
                                R"("label":2.5,"prediction":2.25},{"index":4,"values":null,"label":null,"prediction":[1,2]}]})");
  expect_all(page_of(scratch.path()), {"<td class=\"mono\">1.5  -2</td>", "<td class=\"num\">2.25</td>", "<td class=\"num\">-0.25</td>",
                                       "<td class=\"num\">1, 2</td>"});
}

TEST(Report, TellsWhichOfSeveralLabelsASampleHas) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  put(scratch / "samples.json",
      R"({"task":"several","classes":["red","round","old"],"samples":[{"index":0,"values":[1],"label":[1,0,1],)"
      R"("prediction":[0,1,0],"probabilities":[0.1,0.9,0.2]},{"index":1,"values":[1],"label":[0,0,0],"prediction":[0,0,0]}]})");
  expect_all(page_of(scratch.path()), {">red, old</td>", "</span>round</td>", ">none</td>"});
}

TEST(Report, ComparesSeveralRuns) {
  const ScratchFolder scratch;
  std::vector<RunFiles> runs{read_run(whole_run(scratch, "slow", "0.01")), read_run(whole_run(scratch, "fast", "0.1"))};
  runs[1].epochs[1]["validation_loss"] = 0.4;
  const std::string page = report(runs);
  expect_all(page,
             {"<h1>2 runs</h1>", "<th class=\"setting\">lr</th>", ">0.01</td>", "<td class=\"num best\">0.4</td>",
              "<td class=\"num\">0.6</td>", "<h3>Validation loss</h3>", "data-run=\"1\" data-name=\"fast\"", "<summary>slow</summary>"});
  EXPECT_EQ(times(page, "<th class=\"setting\">"), 1u);  // of what differs, and nothing else
  EXPECT_EQ(times(page, "<h3>Training loss</h3>"), 1u);
}

/// Text that would leave any place it is put into.
const std::string kHostile = "x\"'><script>alert(1)</script><img src=http://evil/ onerror=alert(1)>&amp;";

TEST(Report, EscapesAllThatComesFromFiles) {
  const ScratchFolder scratch;
  const std::filesystem::path folder = whole_run(scratch, "a<b>&\"c");
  const std::string json = nlohmann::json(kHostile).dump();
  put(folder / "metrics.jsonl", "{\"epoch\":1,\"step\":10,\"train_loss\":0.9,\"validation_loss\":0.8,\"parameter_hash\":" + json +
                                    ",\"validation_" + json.substr(1) + ":0.5,\"learning_rate\":" + json + "}\n");
  put(folder / "config.ini", "model = " + kHostile + "\n" + kHostile + " = 1\n");
  put(folder / "confusion.csv", "label,a\n" + kHostile + ",3\n");
  put(folder / "samples.json", "{\"task\":\"classes\",\"classes\":[" + json + "],\"samples\":[{\"index\":" + json +
                                   ",\"label\":0,\"prediction\":0,\"probabilities\":[1],\"shape\":[1,1,2],\"pixels\":\"AP8=\"}]}");
  const RunFiles run = read_run(folder);
  std::vector<RunFiles> both{run, run};
  both[1].settings[0].second += kHostile;
  for (const std::string& page : {report({&run, 1}), report(both)}) {
    EXPECT_EQ(times(page, "<script"), 1u);
    EXPECT_EQ(times(page, "</script"), 1u);
    EXPECT_EQ(times(page, "<img src=http"), 0u);
    EXPECT_EQ(times(page, "<b>&"), 0u);
    EXPECT_GT(times(page, "&lt;script&gt;"), 4u);
    // Every tag is one of ours, with quoted attributes that end where they should.
    static const std::regex kTag(
        R"re(<(?:!doctype html|/?[a-z]+[1-6]?(?: [a-z0-9-]+(?:="[^"<>]*")?| viewBox="[^"<>]*"| preserveAspectRatio="none")*/?)>)re");
    const std::string body = page.substr(page.find("<body>"), page.find("<script>") - page.find("<body>"));
    EXPECT_EQ(std::distance(std::sregex_iterator(body.begin(), body.end(), kTag), {}), std::ranges::count(body, '<'));
  }
}

TEST(Report, MayRunItsOwnScriptAndLoadNothing) {
  const ScratchFolder scratch;
  const std::string page = page_of(whole_run(scratch, "first"));
  const std::size_t begin = page.find("<script>") + 8;
  Sha256 script;
  script.update(page.substr(begin, page.find("</script>") - begin));
  expect_all(page, {"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" + base64(script.finish()) + "'"});
  EXPECT_EQ(page.find("http:"), std::string::npos);
  EXPECT_EQ(page.find("https:"), std::string::npos);
  EXPECT_EQ(page.find("url("), std::string::npos);
  EXPECT_EQ(page.find("@import"), std::string::npos);
}

TEST(Report, OddSamplesAreNoFault) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  for (const char* samples :
       {R"({})", R"({"samples":7})", R"({"samples":[]})", R"({"task":3,"classes":9,"samples":[1,null,{"label":[[1]]}]})",
        R"({"task":"classes","samples":[{"pixels":"AP8=","shape":[4,1,1]},{"pixels":"!","shape":[1,1,-2]}]})"}) {
    put(scratch / "samples.json", samples);
    EXPECT_NE(page_of(scratch.path()).find("</html>"), std::string::npos) << samples;
  }
  put(scratch / "samples.json", "not JSON");
  EXPECT_NE(what_throws<DataError>([&] { static_cast<void>(read_run(scratch.path())); }).find("samples.json"), std::string::npos);
}

TEST(Report, IsWrittenWholeOrNotAtAll) {
  const ScratchFolder scratch;
  const std::filesystem::path folders[] = {whole_run(scratch, "first")};
  write_report(folders, folders[0] / "report.html");
  EXPECT_TRUE(text_of(folders[0] / "report.html").ends_with("</html>\n"));
  EXPECT_THROW(write_report(folders, scratch / "no such folder" / "report.html"), CheckpointError);
}

}  // namespace
}  // namespace lockstep
