#include "report/table.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "report/html.hpp"
#include "scratch.hpp"

namespace vida::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Escaped, LeavesNoMarkup) {
  EXPECT_EQ(html::escaped("a < b & \"c\" > 'd'"), "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(html::escaped("</script><b onclick=x>"), "&lt;/script&gt;&lt;b onclick=x&gt;");
}

TEST(Escaped, KeepsUtf8AndReplacesWhatIsNone) {
  EXPECT_EQ(html::escaped("π ≈ 3, 𝒩"), "π ≈ 3, 𝒩");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(html::escaped("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(html::escaped("\xC0\x80"), bad + bad);            // an overlong zero
  EXPECT_EQ(html::escaped("\xED\xA0\x80"), bad + bad + bad);  // half of a surrogate pair
  EXPECT_EQ(html::escaped("\xE2\x82"), bad + bad);            // cut off
  EXPECT_EQ(html::escaped(std::string("\0\x1B[31m\n", 7)), bad + bad + "[31m\n");
}

TEST(DataUri, IsBase64OfTheBytes) {
  const auto path = vida::testing::scratch("table", "bytes");
  for (const auto& [bytes, text] : {std::pair<std::string, std::string>{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"\xFF\xFE\x01", "//4B"}}) {  // RFC 4648, section 10
    std::ofstream(path, std::ios::binary) << bytes;
    EXPECT_EQ(html::data_uri(path, "image/png"), "data:image/png;base64," + text);
  }
  std::filesystem::remove(path);
}

TEST(NumberCell, HasAsManyDigitsAsTellSomething) {
  EXPECT_EQ(number_cell(0.18341234567890123).markup, "0.1834");
  EXPECT_EQ(number_cell(-12.3456789).markup, "−12.346");
  EXPECT_EQ(number_cell(0.0012345).markup, "0.0012");
  EXPECT_EQ(number_cell(0.00012345).markup, "0.00012");
  EXPECT_EQ(number_cell(1234567.0).markup, "1\u202F234\u202F567");
  EXPECT_EQ(number_cell(1234.0).markup, "1234");
  EXPECT_EQ(number_cell(-52314.216, 2).markup, "−52\u202F314.22");
  EXPECT_EQ(number_cell(-0.001, 2).markup, "0.00");
  EXPECT_EQ(number_cell(1.234e-7).markup, "1.23&nbsp;×&nbsp;10<sup>−7</sup>");
  EXPECT_EQ(number_cell(1.25e15).markup, "1.25&nbsp;×&nbsp;10<sup>15</sup>");
  EXPECT_EQ(number_cell(0).markup, "0");
  EXPECT_EQ(number_cell(std::nan("")).markup, "");
  EXPECT_EQ(number_cell(std::numeric_limits<double>::infinity()).markup, "");
}

TEST(JsonCell, IsForPeople) {
  using Json = nlohmann::ordered_json;
  EXPECT_EQ(json_cell(Json::parse("[2, 0.5, \"inf\"]")).markup, "2, 0.5, inf");
  EXPECT_EQ(json_cell(Json(true)).markup, "yes");
  EXPECT_EQ(json_cell(Json(nullptr)).markup, "");
  EXPECT_EQ(json_cell(Json("<b>")).markup, "&lt;b&gt;");
}

TEST(Table, PadsNumbersSoThatTheirPointsStandBelowEachOther) {
  Table table({{"filter"}, {"RMSE"}});
  table.row({text_cell("a"), number_cell(0.1834)});
  table.row({text_cell("b"), number_cell(12.346)});
  table.row({text_cell("c"), number_cell(7)});
  const std::string markup = table.markup("Scores");
  EXPECT_THAT(markup, HasSubstr("<td class=\"n\">0.1834</td>"));
  EXPECT_THAT(markup, HasSubstr("<td class=\"n\">12.346\u2007</td>"));
  EXPECT_THAT(markup, HasSubstr("<td class=\"n\">7\u2008\u2007\u2007\u2007\u2007</td>"));
}

TEST(Table, LeavesOutColumnsAndRowsWithoutAValue) {
  Table table({{"filter"}, {"RMSE"}, {"CRPS"}});
  table.row({text_cell("known"), number_cell(0.5)});
  table.row({text_cell("unknown"), number_cell(std::nan(""))});
  EXPECT_FALSE(table.empty());
  EXPECT_THAT(table.markup("Scores"), AllOf(HasSubstr("RMSE"), Not(HasSubstr("CRPS")), Not(HasSubstr("unknown"))));
  Table none({{"filter"}, {"RMSE"}});
  none.row({text_cell("unknown")});
  EXPECT_TRUE(none.empty());
}

TEST(Table, AppendsByTitle) {
  Table one({{"filter"}, {"RMSE"}}), other({{"filter"}, {"kept"}, {"RMSE"}});
  one.row({text_cell("a"), number_cell(1)});
  other.row({text_cell("b"), number_cell(2), number_cell(3)});
  one.lead({"run"}, text_cell("first"));
  other.lead({"run"}, text_cell("second"));
  one.append(other);
  const std::string markup = one.markup("Both");
  EXPECT_THAT(markup, HasSubstr("<td>first</td><td>a</td><td class=\"n\">–</td><td class=\"n\">1</td>"));
  EXPECT_THAT(markup, HasSubstr("<td>second</td><td>b</td><td class=\"n\">2</td><td class=\"n\">3</td>"));
}

TEST(Table, MarksCellsWithAValue) {
  Table table({{"problem"}, {"k-hat"}});
  table.row({text_cell("0"), marked_if(true, number_cell(0.9, 2))});
  EXPECT_TRUE(table.marked());
  EXPECT_THAT(table.markup("Posteriors"), HasSubstr("<td class=\"n mark\">0.90</td>"));
  EXPECT_FALSE(marked_if(true, number_cell(std::nan(""))).marked);
}

TEST(Table, SaysHowManyRowsAreMissing) {
  Table table({{"run"}, {"MSE"}});
  for (int i = 0; i < 5; ++i) table.row({text_cell(std::to_string(i)), number_cell(i)});
  EXPECT_THAT(table.markup("Runs", 3), AllOf(HasSubstr("and 2 more rows"), Not(HasSubstr("<td>3</td>"))));
  EXPECT_THAT(table.markup("Runs"), Not(HasSubstr("more rows")));
}

}  // namespace
}  // namespace vida::report
