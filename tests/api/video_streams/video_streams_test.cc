// Goal: readers of Kinesis Video get every fragment, in order and with its tags, from every start, live
// without a gap; and every bad request its right error. Method: raw requests to a real server, bodies parsed
// as documents; real clients are in tests/system.
#include <gmock/gmock.h>

#include "parser/parse_fragment.h"
#include "tests/api/aws_server.h"
#include "tests/wait.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kEbmlId[] = "\x1A\x45\xDF\xA3";

// The documents of a body of media.
std::vector<ParsedFragment> Documents(const std::string& body) {
  std::vector<ParsedFragment> documents;
  std::size_t at = 0;
  while (at < body.size()) {
    std::size_t end = body.find(kEbmlId, at + 4);
    if (end == std::string::npos) end = body.size();
    const std::string_view one = std::string_view(body).substr(at, end - at);
    auto parsed = ParseFragment(SharedBytes(Bytes(one.begin(), one.end())));
    EXPECT_TRUE(parsed) << parsed.error().ToString();
    if (!parsed) break;
    documents.push_back(std::move(*parsed));
    at = end;
  }
  return documents;
}

std::vector<std::string> Numbers(const std::vector<ParsedFragment>& documents) {
  std::vector<std::string> numbers;
  for (const auto& document : documents) numbers.push_back(document.service.fragment_number.value_or("none"));
  return numbers;
}

std::vector<std::string> Texts(const ParsedFragment& document) {
  std::vector<std::string> texts;
  for (const ParsedFrame& frame : document.frames) texts.emplace_back(AsText(frame.data));
  return texts;
}

class VideoStreamsTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    auto stream = store_->CreateStream("door", std::chrono::hours(24));
    ASSERT_TRUE(stream);
    stream_ = *stream;
  }

  // One a second, from kNow on; the times in between a gap of ten seconds before the last.
  void RecordFive() {
    for (int i = 0; i < 5; ++i) {
      numbers_.push_back(Append(stream_, kNow + std::chrono::seconds(i < 4 ? i : 14)).ToString());
    }
  }

  AwsAnswer List(const std::string& type, double start, double end, const std::string& more = "") {
    char range[160];
    std::snprintf(range, sizeof(range), R"("TimestampRange":{"StartTimestamp":%.3f,"EndTimestamp":%.3f})",
                  start, end);
    return Rest("/listFragments", R"({"StreamName":"door","FragmentSelector":{"FragmentSelectorType":")" +
                                      type + R"(",)" + range + "}" + more + "}");
  }
  static std::vector<std::string> Listed(const AwsAnswer& answer) {
    std::vector<std::string> numbers;
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    if (!answer.body.is_object()) return numbers;
    for (const auto& one : answer.object().at("Fragments").as_array()) {
      numbers.emplace_back(one.at("FragmentNumber").as_string().c_str());
    }
    return numbers;
  }
  static double Seconds(Timestamp time) { return static_cast<double>(time.millis()) / 1000; }

  // The first `count` documents of an answer to getMedia, and then the reader hangs up.
  std::vector<ParsedFragment> GetMedia(const std::string& selector, std::size_t count,
                                       const std::string& more = "") {
    RawClient client(server_->port());
    Begin(client, selector, more);
    return Next(client, count);
  }
  static void Begin(RawClient& client, const std::string& selector, const std::string& more = "") {
    const std::string body = R"({"StreamName":"door","StartSelector":{)" + selector + "}" + more + "}";
    client.Send("POST /getMedia HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    const RawAnswer head = client.ReceiveHead();
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.Header("Content-Type"), "video/webm");
  }
  // A document is whole when its last tags are there.
  static std::vector<ParsedFragment> Next(RawClient& client, std::size_t count) {
    std::string body;
    for (std::size_t seen = 0; seen < count;) {
      const std::string chunk = client.ReceiveChunk();
      if (chunk.empty()) break;
      if (chunk.find(kContinuationTokenTag) != std::string::npos) ++seen;
      body += chunk;
    }
    return Documents(body);
  }
  std::vector<std::string> From(std::size_t first) const {
    return {numbers_.begin() + static_cast<std::ptrdiff_t>(first), numbers_.end()};
  }

  // A handler ends some time after its peer has what it wanted.
  void WaitForReaders(std::uint64_t left) {
    test::WaitUntil([&] { return readers_.taken() <= left && media_budget_.taken() == 0; });
    EXPECT_EQ(readers_.taken(), left);
    EXPECT_EQ(media_budget_.taken(), 0U);
  }

  VideoStream stream_;
  std::vector<std::string> numbers_;
};

TEST_F(VideoStreamsTest, TheEndpointIsWhatIsConfigured) {
  identity_.endpoint = "https://video.example:8443";
  Reopen();
  EXPECT_EQ(Rest("/getDataEndpoint", R"({"StreamName":"door","APIName":"GET_MEDIA"})").Text("DataEndpoint"),
            "https://video.example:8443");
}

TEST_F(VideoStreamsTest, TheEndpointIsTheServerAsItWasReached) {
  const auto answer = Rest("/getDataEndpoint", R"({"StreamName":"door","APIName":"GET_MEDIA"})");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.Text("DataEndpoint"), "http://localhost:4567");
  EXPECT_EQ(answer.raw.Header("Content-Type"), "application/json");
  EXPECT_EQ(answer.raw.Header("x-amzn-RequestId").size(), 36U);
  const std::string arn = "arn:aws:kinesisvideo:eu-west-1:123456789012:stream/door/";
  const auto by_arn = [&](const std::string& created) {
    return Rest("/getDataEndpoint", R"({"StreamARN":")" + arn + created + R"(","APIName":"PUT_MEDIA"})")
        .raw.status;
  };
  EXPECT_EQ(by_arn(std::to_string(kNow.millis())), 200) << "any account and region";
  EXPECT_EQ(by_arn(std::to_string(kNow.millis() - 1)), 404) << "an earlier stream of this name";
  EXPECT_EQ(by_arn("99999999999999999"), 404);
  EXPECT_EQ(by_arn("99999999999999999999999"), 400);
}

TEST_F(VideoStreamsTest, FragmentsAreListedByBothTimesWithBothEnds) {
  RecordFive();
  const auto all = List("PRODUCER_TIMESTAMP", 0, 2e9);
  EXPECT_THAT(Listed(all), ElementsAreArray(numbers_));
  EXPECT_EQ(all.object().if_contains("NextToken"), nullptr);
  const auto& first = all.object().at("Fragments").as_array()[0].as_object();
  EXPECT_EQ(first.at("FragmentLengthInMilliseconds"), 1000);
  EXPECT_GT(first.at("FragmentSizeInBytes").as_int64(), 100);
  EXPECT_THAT(all.raw.body,
              HasSubstr(R"("ProducerTimestamp":1795240800.000,"ServerTimestamp":1795240800.100)"));

  const double start = Seconds(kNow);
  EXPECT_THAT(Listed(List("PRODUCER_TIMESTAMP", start + 1, start + 3)),
              ElementsAre(numbers_[1], numbers_[2], numbers_[3]));
  EXPECT_THAT(Listed(List("PRODUCER_TIMESTAMP", start + 1.001, start + 2.999)), ElementsAre(numbers_[2]));
  EXPECT_THAT(Listed(List("SERVER_TIMESTAMP", start + 1.1, start + 2.1)),
              ElementsAre(numbers_[1], numbers_[2]));
  EXPECT_THAT(Listed(List("SERVER_TIMESTAMP", start + 1.101, start + 2.099)), ElementsAre());
  EXPECT_THAT(Listed(List("PRODUCER_TIMESTAMP", start + 5, start + 6)), ElementsAre());
}

TEST_F(VideoStreamsTest, AListingGoesOnWhereItsPageEnded) {
  RecordFive();
  for (int i = 0; i < 5; ++i) numbers_.push_back(Append(stream_, kNow + std::chrono::seconds(20)).ToString());
  for (int limit = 1; limit <= 11; ++limit) {
    const std::string max = R"(,"MaxResults":)" + std::to_string(limit);
    std::vector<std::string> listed;
    auto page = List("PRODUCER_TIMESTAMP", 0, 2e9, max);
    for (;;) {
      const auto numbers = Listed(page);
      EXPECT_LE(numbers.size(), static_cast<std::size_t>(limit));
      listed.insert(listed.end(), numbers.begin(), numbers.end());
      const std::string token = page.Text("NextToken");
      if (token.empty()) break;
      page = Rest("/listFragments", R"({"StreamName":"door","NextToken":")" + token + R"(")" + max + "}");
    }
    EXPECT_THAT(listed, ElementsAreArray(numbers_)) << limit;
  }
  const std::string token = List("PRODUCER_TIMESTAMP", 0, 2e9, R"(,"MaxResults":1)").Text("NextToken");
  ASSERT_TRUE(store_->CreateStream("yard", std::chrono::hours(1)));
  EXPECT_THAT(Rest("/listFragments", R"({"StreamName":"yard","NextToken":")" + token + R"("})").Fault(),
              "InvalidArgumentException: NextToken is invalid.");
}

TEST_F(VideoStreamsTest, FragmentsComeInTheOrderAskedForAndMissingOnesAreTold) {
  RecordFive();
  const auto ask = [&](const std::string& list, const std::string& more = "") {
    return Rest("/getMediaForFragmentList",
                R"({"StreamName":"door","Fragments":[)" + list + "]" + more + "}");
  };
  const auto quoted = [&](std::size_t i) { return "\"" + numbers_[i] + "\""; };
  const auto answer = ask(quoted(3) + "," + quoted(0) + ",\"12345\"," + quoted(3));
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.raw.Header("Content-Type"), "video/webm");
  const auto documents = Documents(answer.raw.body);
  EXPECT_THAT(Numbers(documents), ElementsAre(numbers_[3], numbers_[0], "12345", numbers_[3]));
  EXPECT_THAT(Texts(documents[1]),
              ElementsAre("video 0", "video 1", "video 2", "video 3", "audio 0", "audio 1"));
  EXPECT_EQ(documents[1].service.producer_timestamp, kNow);
  EXPECT_EQ(documents[1].service.server_timestamp, kNow + std::chrono::milliseconds(100));
  EXPECT_FALSE(documents[1].service.continuation_token) << "of GetMedia alone";
  EXPECT_EQ(documents[2].service.error_id, 4000);
  EXPECT_EQ(documents[2].service.error_code, "Requested fragment is not found");
  EXPECT_FALSE(documents[2].service.server_timestamp);
  EXPECT_TRUE(documents[2].frames.empty());
  EXPECT_THAT(answer.raw.body, HasSubstr("AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE"));
  WaitForReaders(0);
}

TEST_F(VideoStreamsTest, AFilterTakesTracksAndKeyFrames) {
  RecordFive();
  const auto texts = [&](const std::string& filter) {
    const auto answer =
        Rest("/getMediaForFragmentList", R"({"StreamName":"door","Fragments":[")" + numbers_[2] +
                                             R"("],"MillraceFilter":{)" + filter + "}}");
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    const auto documents = Documents(answer.raw.body);
    if (documents.size() != 1) return std::vector<std::string>{"no document"};
    if (documents[0].service.error_id) return std::vector<std::string>{"error"};
    EXPECT_EQ(documents[0].service.fragment_number, numbers_[2]);
    EXPECT_EQ(documents[0].timestamp_ns, (kNow + std::chrono::seconds(2)).ns);
    std::vector<std::string> all = Texts(documents[0]);
    for (const MkvTrack& track : documents[0].document.tracks)
      all.push_back("track " + std::to_string(track.number));
    return all;
  };
  EXPECT_THAT(texts(R"("KeyFramesOnly":true)"),
              ElementsAre("video 0", "audio 0", "audio 1", "track 1", "track 2"));
  EXPECT_THAT(texts(R"("KeyFramesOnly":true,"TrackKind":"VIDEO")"), ElementsAre("video 0", "track 1"));
  EXPECT_THAT(texts(R"("Tracks":[2])"), ElementsAre("audio 0", "audio 1", "track 2"));
  EXPECT_THAT(texts(R"("TrackKind":"VIDEO")"),
              ElementsAre("video 0", "video 1", "video 2", "video 3", "track 1"));
  EXPECT_THAT(texts(R"("Tracks":[1,2,9])").size(), 8U);
  EXPECT_THAT(texts(R"("Tracks":[9])"), ElementsAre("error"));
  EXPECT_THAT(texts(R"("Tracks":[1],"TrackKind":"AUDIO")"), ElementsAre("error"));
}

TEST_F(VideoStreamsTest, MediaBeginsWhereTheSelectorSays) {
  RecordFive();
  const double start = Seconds(kNow);
  const auto numbers = [&](const std::string& selector, std::size_t count) {
    return Numbers(GetMedia(R"("StartSelectorType":)" + selector, count));
  };
  const auto time = [](const char* type, double seconds) {
    char text[96];
    std::snprintf(text, sizeof(text), R"("%s_TIMESTAMP","StartTimestamp":%.3f)", type, seconds);
    return std::string(text);
  };
  EXPECT_THAT(numbers(R"("EARLIEST")", 5), ElementsAreArray(numbers_));
  EXPECT_THAT(numbers(R"("NOW")", 1), ElementsAreArray(From(4)));
  EXPECT_THAT(numbers(R"("FRAGMENT_NUMBER","AfterFragmentNumber":")" + numbers_[2] + R"(")", 2),
              ElementsAreArray(From(3)));
  EXPECT_THAT(numbers(R"("CONTINUATION_TOKEN","ContinuationToken":")" + numbers_[3] + R"(")", 1),
              ElementsAreArray(From(4)));
  EXPECT_THAT(numbers(time("PRODUCER", start + 1), 4), ElementsAreArray(From(1)));
  EXPECT_THAT(numbers(time("PRODUCER", start + 1.999), 4), ElementsAreArray(From(1)));
  EXPECT_THAT(numbers(time("PRODUCER", start + 8), 1), ElementsAreArray(From(4))) << "in the gap";
  EXPECT_THAT(numbers(time("PRODUCER", start - 100), 5), ElementsAreArray(numbers_));
  EXPECT_THAT(numbers(time("SERVER", start + 2.1), 3), ElementsAreArray(From(2)));
  EXPECT_THAT(numbers(time("SERVER", start + 3.05), 3), ElementsAreArray(From(2))) << "contained";
  EXPECT_THAT(numbers(time("SERVER", start + 9), 1), ElementsAreArray(From(4)));
}

TEST_F(VideoStreamsTest, EachChunkSaysWhereItStands) {
  RecordFive();
  const auto documents = GetMedia(R"("StartSelectorType":"EARLIEST")", 5);
  ASSERT_EQ(documents.size(), 5U);
  const std::vector<std::int64_t> behind{14'000, 13'000, 12'000, 11'000, 0};
  for (std::size_t i = 0; i < documents.size(); ++i) {
    EXPECT_EQ(documents[i].service.continuation_token, numbers_[i]);
    EXPECT_EQ(documents[i].service.millis_behind_now, behind[i]);
    EXPECT_EQ(documents[i].frames.size(), 6U);
  }
}

TEST_F(VideoStreamsTest, MediaGoesOnLiveWithoutAGap) {
  RecordFive();
  RawClient client(server_->port());
  Begin(client, R"("StartSelectorType":"EARLIEST")");
  std::vector<std::string> got = Numbers(Next(client, 3));
  // What is recorded while the reader reads, and after it has caught up; some of it through the live feed.
  const auto feed = store_->Live("door");
  ASSERT_TRUE(feed);
  for (int i = 0; i < 40; ++i) {
    const FragmentNumber number = Append(stream_, kNow + std::chrono::seconds(20 + i));
    numbers_.push_back(number.ToString());
    if (i % 2 == 0) {
      (*feed)->Open(number, 1, true, {VideoTrack()});
      FragmentFacts facts;
      facts.number = number;
      (*feed)->Close(facts);
      (*feed)->SetPersisted(number);
    }
  }
  const auto more = Numbers(Next(client, numbers_.size() - 3));
  got.insert(got.end(), more.begin(), more.end());
  EXPECT_THAT(got, ElementsAreArray(numbers_));
}

TEST_F(VideoStreamsTest, ManyPagesOfFragmentsComeWhole) {
  for (int i = 0; i < 200; ++i)
    numbers_.push_back(Append(stream_, kNow + std::chrono::seconds(i)).ToString());
  EXPECT_THAT(Numbers(GetMedia(R"("StartSelectorType":"EARLIEST")", 200)), ElementsAreArray(numbers_));
  EXPECT_THAT(Numbers(GetMedia(R"("StartSelectorType":"EARLIEST")", 200,
                               R"(,"MillraceFilter":{"KeyFramesOnly":true})")),
              ElementsAreArray(numbers_));
}

TEST_F(VideoStreamsTest, ADamagedFragmentAmongOthersIsToldInItsPlace) {
  for (int i = 0; i < 5; ++i) {
    const auto number = store_->OpenFragment(stream_);
    ASSERT_TRUE(number);
    Fragment fragment = MakeFragment(*number, kNow + std::chrono::seconds(i), 0);
    if (i == 2) fragment.mkv = SharedBytes(Bytes(fragment.mkv.size(), 0x55));
    Append(stream_, std::move(fragment));
    numbers_.push_back(number->ToString());
  }
  const auto documents = GetMedia(R"("StartSelectorType":"EARLIEST")", 4);
  EXPECT_THAT(Numbers(documents), ElementsAreArray(numbers_));
  ASSERT_EQ(documents.size(), 5U);
  for (std::size_t i = 0; i < documents.size(); ++i) {
    EXPECT_EQ(documents[i].service.error_id.has_value(), i == 2) << i;
    EXPECT_EQ(documents[i].frames.empty(), i == 2) << i;
  }
  WaitForReaders(0);
}

TEST_F(VideoStreamsTest, AReaderOfADeletedStreamIsDone) {
  RecordFive();
  RawClient client(server_->port());
  Begin(client, R"("StartSelectorType":"NOW")");
  EXPECT_EQ(Next(client, 1).size(), 1U);
  ASSERT_TRUE(store_->DeleteStream("door"));
  while (!client.ReceiveChunk().empty()) {
  }
  EXPECT_TRUE(client.chunks_complete()) << "the answer ends, and does not break off";
}

TEST_F(VideoStreamsTest, ReadersThatDoNotReadAreBounded) {
  // 4 readers, of which none reads; two fragments of 8 MB, in a budget of 64 MiB.
  numbers_.push_back(Append(stream_, kNow, 1'400'000).ToString());
  numbers_.push_back(Append(stream_, kNow + std::chrono::seconds(1), 1'400'000).ToString());
  const auto others = readers_.Take(12);
  std::vector<std::unique_ptr<RawClient>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::make_unique<RawClient>(server_->port()));
    Begin(*readers.back(), R"("StartSelectorType":"EARLIEST")");
  }
  test::WaitUntil([&] { return media_budget_.taken() >= 4 * 8'000'000U; });
  EXPECT_GE(media_budget_.taken(), 4 * 8'000'000U);
  EXPECT_LE(media_budget_.taken(), 64 * 1024 * 1024U);
  EXPECT_THAT(
      Rest("/getMedia", R"({"StreamName":"door","StartSelector":{"StartSelectorType":"NOW"}})").Fault(),
      StartsWith("ConnectionLimitExceededException"));
  EXPECT_EQ(List("PRODUCER_TIMESTAMP", 0, 2e9).status(), 200) << "others are served";
  EXPECT_THAT(Numbers(Next(*readers[0], 2)), ElementsAreArray(numbers_))
      << "nothing is lost on a slow reader";
  readers.clear();
  WaitForReaders(12);  // those that hang up are noticed
}

struct BadRequest {
  const char* name;
  const char* path;
  const char* json;
  int status;
  const char* says;
};

class VideoStreamsRefuse : public VideoStreamsTest, public ::testing::WithParamInterface<BadRequest> {};

TEST_P(VideoStreamsRefuse, BadRequests) {
  RecordFive();
  const auto answer = Rest(GetParam().path, GetParam().json);
  EXPECT_EQ(answer.status(), GetParam().status) << answer.raw.body;
  EXPECT_THAT(answer.Fault(), HasSubstr(GetParam().says));
  EXPECT_EQ(answer.raw.Header("x-amz-ErrorType"), answer.raw.Header("x-amzn-ErrorType"));
}

constexpr char kEndpoint[] = "/getDataEndpoint";
constexpr char kList[] = "/listFragments";
constexpr char kMedia[] = "/getMedia";
constexpr char kMediaList[] = "/getMediaForFragmentList";
constexpr char kInvalid[] = "InvalidArgumentException: ";

INSTANTIATE_TEST_SUITE_P(
    Cases, VideoStreamsRefuse,
    ::testing::Values(
        BadRequest{"NotJson", kList, "<xml/>", 400, "SerializationException"},
        BadRequest{"Empty", kMedia, "", 400, "SerializationException"},
        BadRequest{"NoStream", kEndpoint, R"({"APIName":"GET_MEDIA"})", 400,
                   "Either StreamName or StreamARN"},
        BadRequest{"UnknownStream", kEndpoint, R"({"StreamName":"yard","APIName":"GET_MEDIA"})", 404,
                   "ResourceNotFoundException: The requested stream is not found or not active."},
        BadRequest{
            "UnknownApi", kEndpoint, R"({"StreamName":"door","APIName":"GET_ALL"})", 400,
            "Value 'GET_ALL' at 'aPIName' failed to satisfy constraint: Member must satisfy enum value set"},
        BadRequest{"NoApi", kEndpoint, R"({"StreamName":"door"})", 400, "Member must not be null"},
        BadRequest{"BadName", kEndpoint, R"({"StreamName":"a/b","APIName":"GET_MEDIA"})", 400, kInvalid},
        BadRequest{
            "ArnOfDataStream", kEndpoint,
            R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/door","APIName":"GET_MEDIA"})",
            400, kInvalid},
        BadRequest{"NoSelector", kList, R"({"StreamName":"door"})", 400,
                   "FragmentSelector is required unless"},
        BadRequest{"NoRange", kList,
                   R"({"StreamName":"door","FragmentSelector":{"FragmentSelectorType":"SERVER_TIMESTAMP"}})",
                   400, "Value null at 'fragmentSelector.timestampRange'"},
        BadRequest{
            "HalfRange", kList,
            R"({"StreamName":"door","FragmentSelector":{"FragmentSelectorType":"SERVER_TIMESTAMP","TimestampRange":{"StartTimestamp":1}}})",
            400, "Value null at 'fragmentSelector.timestampRange.endTimestamp'"},
        BadRequest{
            "RangeBackwards", kList,
            R"({"StreamName":"door","FragmentSelector":{"FragmentSelectorType":"SERVER_TIMESTAMP","TimestampRange":{"StartTimestamp":2,"EndTimestamp":1}}})",
            400, "StartTimestamp must not be after EndTimestamp"},
        BadRequest{"NoResults", kList, R"({"StreamName":"door","MaxResults":0})", 400, "at 'maxResults'"},
        BadRequest{"TooManyResults", kList, R"({"StreamName":"door","MaxResults":1001})", 400,
                   "at 'maxResults'"},
        BadRequest{"TokenMadeUp", kList, R"({"StreamName":"door","NextToken":"AAAAAAAAAAE="})", 400,
                   "NextToken is invalid"},
        BadRequest{"TokenOfOtherLetters", kList, R"({"StreamName":"door","NextToken":"a b"})", 400,
                   "at 'nextToken'"},
        BadRequest{"NoStart", kMedia, R"({"StreamName":"door"})", 400, "Value null at 'startSelector'"},
        BadRequest{"NoStartType", kMedia, R"({"StreamName":"door","StartSelector":{}})", 400,
                   "Value null at 'startSelector.startSelectorType'"},
        BadRequest{"BadStartType", kMedia,
                   R"({"StreamName":"door","StartSelector":{"StartSelectorType":"LATEST"}})", 400, kInvalid},
        BadRequest{"NoNumber", kMedia,
                   R"({"StreamName":"door","StartSelector":{"StartSelectorType":"FRAGMENT_NUMBER"}})", 400,
                   "AfterFragmentNumber is required"},
        BadRequest{
            "BadNumber", kMedia,
            R"({"StreamName":"door","StartSelector":{"StartSelectorType":"FRAGMENT_NUMBER","AfterFragmentNumber":"77"}})",
            400, "AfterFragmentNumber is no fragment's number"},
        BadRequest{"NoTime", kMedia,
                   R"({"StreamName":"door","StartSelector":{"StartSelectorType":"SERVER_TIMESTAMP"}})", 400,
                   "StartTimestamp is required"},
        BadRequest{"NoToken", kMedia,
                   R"({"StreamName":"door","StartSelector":{"StartSelectorType":"CONTINUATION_TOKEN"}})", 400,
                   "ContinuationToken is required"},
        BadRequest{
            "BadToken", kMedia,
            R"({"StreamName":"door","StartSelector":{"StartSelectorType":"CONTINUATION_TOKEN","ContinuationToken":"x"}})",
            400, kInvalid},
        BadRequest{"MediaOfNothing", kMedia,
                   R"({"StreamName":"yard","StartSelector":{"StartSelectorType":"NOW"}})", 404,
                   "ResourceNotFoundException"},
        BadRequest{"NoFragments", kMediaList, R"({"StreamName":"door"})", 400, "Value null at 'fragments'"},
        BadRequest{"EmptyFragments", kMediaList, R"({"StreamName":"door","Fragments":[]})", 400,
                   "at 'fragments'"},
        BadRequest{"FragmentsOfNumbers", kMediaList, R"({"StreamName":"door","Fragments":[1]})", 400,
                   "SerializationException"},
        BadRequest{"FragmentsOfLetters", kMediaList, R"({"StreamName":"door","Fragments":["x"]})", 400,
                   "at 'fragments.1.member'"},
        BadRequest{"FilterOfTrackZero", kMediaList,
                   R"({"StreamName":"door","Fragments":["1"],"MillraceFilter":{"Tracks":[0]}})", 400,
                   "at 'millraceFilter.tracks.1.member'"},
        BadRequest{"FilterOfNoKind", kMediaList,
                   R"({"StreamName":"door","Fragments":["1"],"MillraceFilter":{"TrackKind":"TEXT"}})", 400,
                   kInvalid}),
    [](const auto& one) { return one.param.name; });

TEST_F(VideoStreamsTest, LargeRequestsShareABudget) {
  const auto held = budget_.Take(64 * 1024 * 1024);
  EXPECT_THAT(Rest("/getMedia", std::string(100 * 1024, ' ')).Fault(),
              StartsWith("ClientLimitExceededException"));
  EXPECT_EQ(Rest("/getDataEndpoint", R"({"StreamName":"door","APIName":"GET_MEDIA"})").status(), 200);
}

TEST_F(VideoStreamsTest, TooManyFragmentsAndTooLargeBodiesAreRefused) {
  std::string list = "\"1\"";
  for (int i = 0; i < 1000; ++i) list += ",\"1\"";
  EXPECT_THAT(Rest("/getMediaForFragmentList", R"({"StreamName":"door","Fragments":[)" + list + "]}").Fault(),
              HasSubstr("less than or equal to 1000"));
  EXPECT_EQ(Rest("/getMedia", std::string(600 * 1024, ' ')).status(), 413);
}

}  // namespace
}  // namespace millrace::api::testing
