// The records are Rekognition's, whatever the footage and the analyzer are called; descriptors from the wire
// are taken as they are or refused.
#include "consumers/analysis/result_record.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace millrace {
namespace {

FragmentDescriptor Descriptor() {
  FragmentDescriptor fragment;
  fragment.stream = "door";
  fragment.stream_arn = "arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1";
  fragment.fragment_number = "91343852333181432392682062607743920146264904714";
  fragment.producer_time = Timestamp::FromMillis(1'763'690'820'250);
  fragment.server_time = Timestamp::FromMillis(1'763'690'820'400);
  return fragment;
}

TEST(ResultRecord, IsRekognitions) {
  boost::json::object found;
  found["FaceSearchResponse"] = boost::json::array();
  AnalyzerIdentity analyzer{"faces", "cascade1-0.1", "millrace-faces"};
  WorkerResult result = MakeFrameResult(analyzer, Descriptor(), std::chrono::milliseconds(480), found);
  EXPECT_EQ(result.stream, "millrace-faces");
  EXPECT_EQ(result.partition_key, "door");
  EXPECT_EQ(result.time, Timestamp::FromMillis(1'763'690'820'730));
  auto record = boost::json::parse(result.data);
  const auto& video = record.at("InputInformation").at("KinesisVideo");
  EXPECT_EQ(video.at("StreamArn").as_string(), Descriptor().stream_arn);
  EXPECT_EQ(video.at("FragmentNumber").as_string(), Descriptor().fragment_number);
  EXPECT_DOUBLE_EQ(video.at("ProducerTimestamp").as_double(), 1763690820.25);
  EXPECT_DOUBLE_EQ(video.at("ServerTimestamp").as_double(), 1763690820.4);
  EXPECT_DOUBLE_EQ(video.at("FrameOffsetInSeconds").as_double(), 0.48);
  EXPECT_EQ(record.at("StreamProcessorInformation").at("Status").as_string(), "RUNNING");
  EXPECT_TRUE(record.at("FaceSearchResponse").as_array().empty());
}

TEST(ResultRecord, KeyNamesFragmentOffsetAnalyzerAndVersion) {
  AnalyzerIdentity analyzer{"faces", "1", "millrace-faces"};
  auto key = [&](const AnalyzerIdentity& by, int ms) {
    return MakeFrameResult(by, Descriptor(), std::chrono::milliseconds(ms), {}).key;
  };
  EXPECT_EQ(key(analyzer, 40), key(analyzer, 40));
  EXPECT_NE(key(analyzer, 40), key(analyzer, 80));
  EXPECT_NE(key(analyzer, 40), key({"faces", "2", "millrace-faces"}, 40));
  EXPECT_NE(key(analyzer, 0), MakeStatusResult(analyzer, Descriptor(), Duration{0}, "SKIPPED", "").key);
}

TEST(ResultRecord, StatusesAreJsonWhateverTheMessage) {
  AnalyzerIdentity analyzer{"faces", "1", "millrace-faces"};
  WorkerResult result =
      MakeStatusResult(analyzer, Descriptor(), Duration{0}, "UNREADABLE", "at \x01\xff\"\\ offset");
  auto record = boost::json::parse(result.data);
  EXPECT_EQ(record.at("StreamProcessorInformation").at("Message").as_string(), "at ??\"\\ offset");
  EXPECT_FALSE(boost::json::parse(MakeFrameResult(analyzer, Descriptor(), Duration{0}, {}).data)
                   .as_object()
                   .contains("FaceSearchResponse"));
}

TEST(FragmentDescriptor, IsTakenAsTheServerWritesIt) {
  auto parsed = ParseFragmentDescriptor(AsBytes(
      R"({"stream":"door","stream_arn":"a","fragment_number":"9","producer_timestamp":1763690820.250,)"
      R"("server_timestamp":1763690820,"independent":true,"later":{}})"));
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  EXPECT_EQ(parsed->producer_time, Timestamp::FromMillis(1'763'690'820'250));
  EXPECT_TRUE(parsed->independent);
}

TEST(FragmentDescriptor, IsRefusedWhereItIsNone) {
  for (
      const char* bad :
      {"", "[]", "{}", "null", R"({"stream":1})",
       R"({"stream":"","stream_arn":"a","fragment_number":"9","producer_timestamp":1,"server_timestamp":1})",
       R"({"stream":"d","stream_arn":"a","fragment_number":"9","producer_timestamp":-1,"server_timestamp":1})",
       R"({"stream":"d","stream_arn":"a","fragment_number":"9","producer_timestamp":1e300,"server_timestamp":1})",
       R"({"stream":"d","stream_arn":"a","fragment_number":"9","producer_timestamp":"1","server_timestamp":1})",
       R"({"stream":"d","stream_arn":"a","fragment_number":[],"producer_timestamp":1,"server_timestamp":1})"}) {
    EXPECT_FALSE(ParseFragmentDescriptor(AsBytes(bad))) << bad;
  }
}

}  // namespace
}  // namespace millrace
