// Fragments of the past: listed over pages, read in the order that is asked for.
#include "consumers/sources/archived_media.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

#include "tests/consumers/sources/scripted_server.h"
#include "tests/parser/mkv_builder.h"

namespace millrace::testing {
namespace {

std::string Chunk(const std::string& number) {
  MkvBuilder mkv;
  mkv.Header().Tracks().Tags({{kFragmentNumberTag, number}});
  mkv.StartCluster(1000).Simple(1, 0, true, "frame of " + number).EndCluster();
  return std::string(AsText(mkv.Take()));
}

std::string Entry(const std::string& number, double time) {
  return R"({"FragmentNumber":")" + number + R"(","FragmentSizeInBytes":1234,"ProducerTimestamp":)" +
         std::to_string(time) + R"(,"ServerTimestamp":)" + std::to_string(time + 1) +
         R"(,"FragmentLengthInMilliseconds":2000})";
}

class Archive : public ::testing::Test {
 protected:
  ArchivedMedia Open() {
    VideoStreamAddress address;
    address.endpoint = server_.endpoint();
    address.stream = "door";
    return ArchivedMedia(std::move(address));
  }
  ScriptedAnswer Answer(const ScriptedRequest& request) {
    const std::string self = server_.endpoint().ToString();
    if (request.target == "/getDataEndpoint") return {200, "{\"DataEndpoint\": \"" + self + "\"}"};
    if (request.target == "/listFragments") return {200, pages_.at(page_++)};
    std::string body = prefix_;
    const boost::json::value wanted = boost::json::parse(request.body);
    for (const auto& number : wanted.at("Fragments").as_array()) {
      body += Chunk(std::string(number.as_string()));
    }
    return {200, body.substr(0, body.size() - cut_), cut_ > 0};
  }

  std::vector<std::string> pages_;
  std::size_t page_ = 0;
  std::string prefix_;
  std::size_t cut_ = 0;
  ScriptedServer server_{[this](const ScriptedRequest& request) { return Answer(request); }};
};

TEST_F(Archive, ListsAllPagesInTheOrderOfNumbers) {
  pages_ = {"{\"Fragments\":[" + Entry("3", 30) + "," + Entry("1", 10) + "],\"NextToken\":\"more\"}",
            "{\"Fragments\":[" + Entry("2", 20.25) + "],\"NextToken\":null}"};
  ArchivedMedia archive = Open();
  const auto listed = archive.List({.start = Timestamp::FromSeconds(5), .end = Timestamp::FromSeconds(50)});
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 3u);
  EXPECT_EQ((*listed)[1].number, "2");
  EXPECT_EQ((*listed)[1].producer_timestamp, Timestamp::FromMillis(20'250));
  EXPECT_EQ((*listed)[1].server_timestamp, Timestamp::FromMillis(21'250));
  EXPECT_EQ((*listed)[1].length, std::chrono::seconds(2));
  EXPECT_EQ((*listed)[1].bytes, 1234u);
  const auto asked = server_.BodiesOf("/listFragments");
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_NE(asked[0].find("PRODUCER_TIMESTAMP"), std::string::npos);
  EXPECT_NE(asked[1].find("\"NextToken\":\"more\""), std::string::npos);
}

TEST_F(Archive, AListIsBoundedAndItsAnswersAreChecked) {
  const FragmentRange range{.start = {}, .end = Timestamp::FromSeconds(50), .fragments_max = 1};
  struct {
    std::string page;
    ErrorCode code;
  } const cases[] = {
      {"{\"Fragments\":[" + Entry("3", 30) + "," + Entry("1", 10) + "]}", ErrorCode::kResourceExhausted},
      {"{}", ErrorCode::kInternal},
      {"[]", ErrorCode::kInternal},
      {"{\"Fragments\":[1]}", ErrorCode::kInternal},
      {"{\"Fragments\":[{\"FragmentNumber\":7}]}", ErrorCode::kInternal}};
  for (const auto& bad : cases) {
    pages_ = {bad.page};
    page_ = 0;
    ArchivedMedia archive = Open();
    const auto listed = archive.List(range);
    ASSERT_FALSE(listed) << bad.page;
    EXPECT_EQ(listed.error().code, bad.code) << bad.page;
  }
}

TEST_F(Archive, NonsenseInAFragmentsNumbersIsNothing) {
  pages_ = {R"({"Fragments":[{"FragmentNumber":"1","FragmentSizeInBytes":-5,"ProducerTimestamp":1e300,)"
            R"("ServerTimestamp":"x","FragmentLengthInMilliseconds":[]}]})"};
  ArchivedMedia archive = Open();
  const auto listed = archive.List({.start = {}, .end = Timestamp::FromSeconds(50)});
  ASSERT_TRUE(listed);
  EXPECT_EQ((*listed)[0].bytes, 0u);
  EXPECT_EQ((*listed)[0].producer_timestamp, Timestamp{});
}

TEST_F(Archive, ReadsInTheOrderAskedForAndInPortions) {
  std::vector<std::string> numbers;
  for (int i = 0; i < 250; ++i) numbers.push_back(std::to_string(1000 - i));
  ArchivedMedia archive = Open();
  std::vector<std::string> read;
  const auto sink = [&](const ParsedFragment& fragment) -> Result<void> {
    read.push_back(fragment.service.fragment_number.value_or("-"));
    EXPECT_EQ(AsText(fragment.frames.at(0).data), "frame of " + read.back());
    return {};
  };
  ASSERT_TRUE(archive.Read(numbers, sink));
  EXPECT_EQ(read, numbers);
  EXPECT_EQ(server_.BodiesOf("/getMediaForFragmentList").size(), 3u);
  EXPECT_EQ(server_.BodiesOf("/getDataEndpoint").size(), 1u) << "the endpoint is asked for once";
  EXPECT_TRUE(archive.Read(std::vector<std::string>(), sink));
}

TEST_F(Archive, WhatIsCutOrRefusedIsAnError) {
  ArchivedMedia archive = Open();
  int read = 0;
  const auto sink = [&](const ParsedFragment&) -> Result<void> {
    ++read;
    return {};
  };
  cut_ = 5;
  const auto cut = archive.Read(std::vector<std::string>{"1", "2"}, sink);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(read, 1);
  cut_ = 0;
  MkvBuilder gone;
  gone.Header().Tags({{kFragmentNumberTag, "9"}, {kErrorIdTag, "4000"}, {kErrorCodeTag, "gone"}});
  prefix_ = std::string(AsText(gone.Take()));
  const auto refused = archive.Read(std::vector<std::string>{"9"}, sink);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("gone (4000)"), std::string::npos);
}

}  // namespace
}  // namespace millrace::testing
