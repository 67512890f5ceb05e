// Options are read as they are written, or refused with the name of what is wrong.
#include "consumers/analysis/option_reader.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

#include "consumers/analysis/analyzer_options.h"

namespace millrace {
namespace {

struct Zone {
  std::string name;
  std::vector<double> box;
};

struct Settings {
  double sensitivity = 0.5;
  int history = 100;
  bool shadows = false;
  std::string model;
  std::string method = "mog2";
  std::vector<std::string> labels;
  std::vector<Zone> zones;
  double cooldown = 1;
};

Result<Settings> Read(const boost::json::object& options) {
  Settings settings;
  OptionReader reader(options);
  reader.Number("sensitivity", settings.sensitivity, 0, 1);
  reader.Integer("history", settings.history, 1, 1000);
  reader.Boolean("shadows", settings.shadows);
  reader.Text("model", settings.model, 20);
  reader.OneOf("method", settings.method, {"mog2", "knn"});
  reader.Texts("labels", settings.labels, 2);
  reader.Objects("zones", 2, [&](OptionReader& zone) {
    zone.Text("name", settings.zones.emplace_back().name);
    zone.Numbers("box", settings.zones.back().box, 4, 0, 1);
  });
  reader.Object("webhook", [&](OptionReader& hook) { hook.Number("cooldown", settings.cooldown, 0, 60); });
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

boost::json::object Json(const char* text) { return boost::json::parse(text).as_object(); }

TEST(OptionReader, ReadsWhatIsThereAndLeavesTheRest) {
  auto read = Read(Json(R"({"sensitivity":1,"history":2e2,"shadows":true,"model":"a.onnx","method":"knn",
      "labels":["a","b"],"zones":[{"name":"drive","box":[0,0.5,1,1]},{}],"webhook":{"cooldown":3}})"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->sensitivity, 1);
  EXPECT_EQ(read->history, 200);
  EXPECT_TRUE(read->shadows);
  EXPECT_EQ(read->model, "a.onnx");
  EXPECT_EQ(read->method, "knn");
  EXPECT_EQ(read->labels, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(read->zones.size(), 2u);
  EXPECT_EQ(read->zones[0].box, (std::vector<double>{0, 0.5, 1, 1}));
  EXPECT_EQ(read->cooldown, 3);
  auto defaults = Read({});
  ASSERT_TRUE(defaults);
  EXPECT_EQ(defaults->history, 100);
  EXPECT_EQ(defaults->method, "mog2");
}

struct BadOption {
  const char* options;
  const char* says;
};

TEST(OptionReader, NamesWhatIsWrong) {
  const BadOption cases[] = {
      {R"({"sensitvity":1})", "option 'sensitvity' is not known; there are: sensitivity, history"},
      {R"({"sensitivity":1.01})", "option 'sensitivity' must be a number from 0 to 1"},
      {R"({"sensitivity":"1"})", "option 'sensitivity' must be a number"},
      {R"({"sensitivity":null})", "option 'sensitivity' must be a number"},
      {R"({"history":1.5})", "option 'history' must be a whole number from 1 to 1000"},
      {R"({"history":0})", "option 'history' must be"},
      {R"({"history":1e300})", "option 'history' must be"},
      {R"({"shadows":1})", "option 'shadows' must be true or false"},
      {R"({"model":"123456789012345678901"})", "option 'model' must be text of 20 bytes at most"},
      {R"({"model":["a"]})", "option 'model' must be text"},
      {R"({"method":"MOG2"})", "option 'method' must be one of: mog2, knn"},
      {R"({"method":5})", "option 'method' must be one of"},
      {R"({"labels":["a","b","c"]})", "option 'labels' must be a list of 2 texts at most"},
      {R"({"labels":"a"})", "option 'labels' must be a list"},
      {R"({"labels":[1]})", "option 'labels' must be a list"},
      {R"({"zones":[{"name":"a"},{"nam":"b"}]})", "option 'zones[1].nam' is not known; there are: name, box"},
      {R"({"zones":[{"box":[0,2]}]})",
       "option 'zones[0].box' must be a list of 4 numbers at most, each from 0 to 1"},
      {R"({"zones":{}})", "option 'zones' must be a list of 2 objects at most"},
      {R"({"zones":[1]})", "option 'zones' must be a list of 2 objects at most"},
      {R"({"webhook":[]})", "option 'webhook' must be an object"},
      {R"({"webhook":{"url":"x"}})", "option 'webhook.url' is not known; there are: cooldown"}};
  for (const auto& [options, says] : cases) {
    auto read = Read(Json(options));
    ASSERT_FALSE(read) << options;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(read.error().message.find(says), std::string::npos) << read.error().message;
  }
}

TEST(OptionReader, TheFirstErrorStands) {
  const boost::json::object options = Json(R"({"a":5,"b":5})");
  OptionReader reader(options);
  double a = 1;
  double b = 1;
  reader.Number("a", a, 0, 1);
  reader.Number("b", b, 0, 9);
  EXPECT_EQ(reader.Finish().error().message, "option 'a' must be a number from 0 to 1");
  EXPECT_EQ(b, 1);
}

TEST(Options, OfAStreamLieOverTheAnalyzers) {
  const AnalyzerOptions options{Json(R"({"a":1,"b":{"c":1}})"), {{"door", Json(R"({"b":{"d":2},"e":3})")}}};
  EXPECT_EQ(options.Of("door"), Json(R"({"a":1,"b":{"d":2},"e":3})"));
  EXPECT_EQ(options.Of("yard"), options.all);
}

TEST(Options, AreJsonOrAFile) {
  std::string directory = ::testing::TempDir() + "millrace-options-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  std::ofstream(directory + "/good.json") << "{\"a\": 1}\n";
  std::ofstream(directory + "/large.json") << std::string(2 << 20, ' ');
  EXPECT_EQ(*ParseOptions("{\"a\":1}"), Json("{\"a\":1}"));
  EXPECT_EQ(*ParseOptions("@" + directory + "/good.json"), Json("{\"a\":1}"));
  EXPECT_EQ(ParseOptions("@" + directory + "/none.json").error().code, ErrorCode::kNotFound);
  for (const std::string& bad : {std::string(), std::string("a=1"), std::string("[1]"), std::string("{"),
                                 "@" + directory + "/large.json", std::string("@")}) {
    EXPECT_FALSE(ParseOptions(bad)) << bad;
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace millrace
