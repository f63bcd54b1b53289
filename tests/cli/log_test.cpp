// What a run says while it works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "cli/program.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Answer run_small(const Workplace& place, const std::vector<std::string>& more) {
  place.write("c.toml", kSmallJob);
  std::vector<std::string> words = {"run", "c.toml", "--out", "o", "--force"};
  words.insert(words.end(), more.begin(), more.end());
  return place.vida(words, {"PATH=/nowhere"});
}

std::vector<nlohmann::json> lines_of(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(Log, WithoutATerminalHoldsNoControlCharacters) {
  const Workplace place;
  const auto answer = run_small(place, {});
  ASSERT_EQ(answer.code, 0);
  for (const std::string& text : {answer.out, answer.err})
    EXPECT_FALSE(std::any_of(text.begin(), text.end(), [](char c) { return c != '\n' && std::iscntrl(c); })) << text;
  EXPECT_THAT(answer.err, HasSubstr("iterations 3/3"));
}

TEST(Log, TellsNoMoreThanItsLevel) {
  const Workplace place;
  const auto at = [&](const std::string& level) { return run_small(place, {"--log-level", level}).err; };
  EXPECT_THAT(at("error"), IsEmpty());
  EXPECT_THAT(at("warning"), AllOf(HasSubstr("figures were not drawn"), Not(HasSubstr("iterations"))));
  EXPECT_THAT(at("info"), AllOf(HasSubstr("iterations 3/3"), Not(HasSubstr("state kept"))));
  EXPECT_THAT(at("debug"), AllOf(HasSubstr("vida: job learn-gain on cpu, "), HasSubstr("vida: state kept in ")));
  EXPECT_EQ(run_small(place, {"--quiet"}).err, at("warning"));
  EXPECT_THAT(run_small(place, {"--quiet"}).out, IsEmpty());
}

TEST(Log, IsJsonForPrograms) {
  const Workplace place;
  const auto answer = run_small(place, {"--log-format", "json", "--log-level", "debug"});
  ASSERT_EQ(answer.code, 0);
  bool warned = false, progressed = false, ended = false;
  for (const auto& line : lines_of(answer.err)) {
    EXPECT_TRUE(
        std::regex_match(line["time"].get<std::string>(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")))
        << line;
    EXPECT_THAT(line["level"], AnyOf("warning", "info", "debug"));
    warned |= line["event"] == "message" && line["level"] == "warning";
    if (line["event"] == "progress") {
      progressed = true;
      EXPECT_EQ(line["unit"], "iterations");
      EXPECT_EQ(line["total"], 3);
      EXPECT_GT(line["cost"], 0);
      EXPECT_GT(line["elapsed_seconds"], 0);
    }
    if (line["event"] == "end") {
      ended = true;
      EXPECT_EQ(line["exit_code"], 0);
      EXPECT_EQ(line["folder"], "o");
      EXPECT_EQ(line["interrupted"], false);
    }
  }
  EXPECT_TRUE(warned && progressed && ended) << answer.err;
}

TEST(Log, TellsErrorsAsJsonToo) {
  const Workplace place;
  const auto answer = place.vida({"run", "nowhere.toml", "--log-format", "json"});
  EXPECT_EQ(answer.code, 2);
  const auto lines = lines_of(answer.err);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["level"], "error");
  EXPECT_EQ(lines[0]["message"], "'nowhere.toml' does not exist.");
}

TEST(Log, RefusesWhatItDoesNotKnow) {
  const Workplace place;
  EXPECT_EQ(run_small(place, {"--log-level", "loud"}).code, 2);
  EXPECT_EQ(run_small(place, {"--log-format", "xml"}).code, 2);
}

}  // namespace
}  // namespace vida::test
