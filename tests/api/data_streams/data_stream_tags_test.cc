// Goal: tags and policies of streams are kept and given back, and bad ones refused in the service's words.
// Method: raw requests to a real server.
#include <gmock/gmock.h>

#include "tests/api/aws_server.h"

namespace millrace::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kArn[] = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

class StreamTagsTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    ASSERT_EQ(Call("CreateStream", R"({"StreamName":"s","ShardCount":1})").status(), 200);
  }
  // {"StreamName":"s", <rest>}
  AwsAnswer OfStream(const std::string& operation, const std::string& rest = "") {
    return Call(operation, R"({"StreamName":"s")" + (rest.empty() ? "" : "," + rest) + "}");
  }
  AwsAnswer OfResource(const std::string& operation, const std::string& rest = "",
                       const std::string& arn = kArn) {
    return Call(operation, R"({"ResourceARN":")" + arn + R"(")" + (rest.empty() ? "" : "," + rest) + "}");
  }
  static std::string ManyTags(int from, int to) {
    std::string tags;
    for (int i = from; i < to; ++i) {
      tags += (i > from ? ",\"k" : "\"k") + std::to_string(i) + R"(":"v")";
    }
    return R"("Tags":{)" + tags + "}";
  }
};

TEST_F(StreamTagsTest, TagsAreAddedListedInPagesAndRemoved) {
  EXPECT_EQ(OfStream("AddTagsToStream", R"("Tags":{"b":"2","a":"1","c":""})").raw.body, "");
  EXPECT_EQ(
      OfStream("ListTagsForStream").raw.body,
      R"({"Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"},{"Key":"c","Value":""}],"HasMoreTags":false})");
  EXPECT_EQ(OfStream("ListTagsForStream", R"("Limit":1,"ExclusiveStartTagKey":"a")").raw.body,
            R"({"Tags":[{"Key":"b","Value":"2"}],"HasMoreTags":true})");
  EXPECT_EQ(OfStream("ListTagsForStream", R"("ExclusiveStartTagKey":"z")").raw.body,
            R"({"Tags":[],"HasMoreTags":false})");
  EXPECT_EQ(OfStream("AddTagsToStream", R"("Tags":{"a":"one"})").status(), 200) << "another value";
  EXPECT_EQ(OfStream("RemoveTagsFromStream", R"("TagKeys":["b","c","never"])").status(), 200);
  Reopen();
  EXPECT_EQ(OfResource("ListTagsForResource").raw.body, R"({"Tags":[{"Key":"a","Value":"one"}]})");
  EXPECT_EQ(OfResource("TagResource", R"("Tags":{"\u00e9t\u00e9":"100 _./=+-@:,"})").status(), 200);
  EXPECT_THAT(OfStream("ListTagsForStream").raw.body, HasSubstr("\xC3\xA9t\xC3\xA9"));
  EXPECT_EQ(OfResource("UntagResource", R"("TagKeys":["a"])").raw.body, "");
  EXPECT_EQ(OfResource("ListTagsForResource").object().at("Tags").as_array().size(), 1U);
}

TEST_F(StreamTagsTest, AStreamHasFiftyTags) {
  EXPECT_EQ(OfStream("AddTagsToStream", ManyTags(0, 50)).status(), 200);
  EXPECT_EQ(OfStream("AddTagsToStream", ManyTags(49, 51)).Fault(),
            "InvalidArgumentException: Failed to add tags to stream s under account 000000000000 because a "
            "given stream cannot have more than 50 tags associated with it.");
  EXPECT_EQ(OfStream("AddTagsToStream", ManyTags(0, 50)).status(), 200) << "those that it has";
  EXPECT_THAT(OfStream("AddTagsToStream", ManyTags(0, 201)).Fault(), StartsWith("ValidationException"));
  EXPECT_EQ(OfStream("ListTagsForStream").object().at("Tags").as_array().size(), 50U);
  EXPECT_THAT(Call("CreateStream", R"({"StreamName":"n","ShardCount":1,)" + ManyTags(0, 51) + "}").Fault(),
              HasSubstr("cannot have more than 50 tags"));
}

TEST_F(StreamTagsTest, BadTagsAreToldInTheServicesWords) {
  const std::string invalid =
      "InvalidArgumentException: Some tags contain invalid characters. Valid characters: Unicode letters, "
      "digits, white space, _ . / = + - % @.";
  const std::string illegal =
      "InvalidArgumentException: Failed to add tags to stream s under account 000000000000 because some tags "
      "contained illegal characters. The allowed characters are Unicode letters, white-spaces, "
      "'_',',','/','=','+','-','@'.";
  for (const char* operation : {"AddTagsToStream", "TagResource"}) {
    const auto add = [&](const std::string& tags) {
      const std::string rest = R"("Tags":)" + tags;
      return (operation[0] == 'A' ? OfStream(operation, rest) : OfResource(operation, rest)).Fault();
    };
    EXPECT_EQ(add(R"({"a;":"b"})"), invalid);
    EXPECT_EQ(add(R"({"a":"<b>"})"), invalid);
    EXPECT_EQ(add(R"({"a\u0000":"b"})"), invalid);
    EXPECT_EQ(add(R"({"100%":"b"})"), illegal);
    EXPECT_THAT(add("{}"), HasSubstr("Member must have length greater than or equal to 1"));
    EXPECT_THAT(add("null"), HasSubstr("Value null at 'tags' failed"));
    EXPECT_THAT(add(R"({"":"b"})"), HasSubstr("Map keys must satisfy constraint"));
    EXPECT_THAT(add(R"({")" + std::string(129, 'k') + R"(":"b"})"),
                HasSubstr("Map keys must satisfy constraint"));
    EXPECT_THAT(add(R"({"a":")" + std::string(257, 'v') + R"("})"),
                HasSubstr("Map value must satisfy constraint"));
    EXPECT_THAT(add(R"({"a":null})"), StartsWith("SerializationException"));
    EXPECT_THAT(add(R"(["a"])"), StartsWith("SerializationException"));
  }
  EXPECT_EQ(OfStream("RemoveTagsFromStream", R"("TagKeys":["a;"])").Fault(), invalid);
  for (const char* keys : {"[]", "null", R"([""])"}) {
    EXPECT_THAT(OfStream("RemoveTagsFromStream", std::string(R"("TagKeys":)") + keys).Fault(),
                StartsWith("ValidationException"))
        << keys;
    EXPECT_THAT(OfResource("UntagResource", std::string(R"("TagKeys":)") + keys).Fault(),
                StartsWith("ValidationException"))
        << keys;
  }
  for (const char* limit : {"0", "51"}) {
    EXPECT_THAT(OfStream("ListTagsForStream", std::string(R"("Limit":)") + limit).Fault(),
                StartsWith("ValidationException"));
  }
  EXPECT_EQ(OfStream("ListTagsForStream").object().at("Tags").as_array().size(), 0U);
}

TEST_F(StreamTagsTest, ResourcesThatAreNoneAreRefused) {
  const std::string base = "arn:aws:kinesis:us-east-1:000000000000:";
  struct Case {
    std::string arn, says;
  };
  const Case cases[] = {
      {base + "stream/nowhere",
       "ResourceNotFoundException: Stream nowhere under account 000000000000 not found."},
      {"arn:aws:kinesis:us-east-1:111122223333:stream/s",
       "ResourceNotFoundException: Stream s under account 111122223333 not found."},
      {base + "stream/s/consumer/c:1795240800", "ResourceNotFoundException: Consumer "},
      {base + "stream/nowhere/consumer/c:1", "ResourceNotFoundException: Stream nowhere under account"},
      {base + "stream/s/consumer/c", "ValidationException"},
      {base + "stream/s/consumer/:1", "ValidationException"},
      {base + "stream/s/consumer/c:-1", "ValidationException"},
      {base + "stream/s/consumer/c:99999999999999999999", "ValidationException"},
      {base + "stream/s/other/c:1", "ValidationException"},
      {base + "stream/", "ValidationException"},
      {base + "stream/a b", "ValidationException"},
      {base + "queue/s", "ValidationException"},
      {"arn:aws:kinesis:us-east-1:1:stream/s", "ValidationException"},
      {"arn:aws:s3:::bucket", "ValidationException"},
      {"s", "ValidationException"},
      {"", "ValidationException"},
  };
  for (const Case& one : cases) {
    EXPECT_THAT(OfResource("ListTagsForResource", "", one.arn).Fault(), StartsWith(one.says)) << one.arn;
    EXPECT_THAT(OfResource("TagResource", R"("Tags":{"a":"b"})", one.arn).Fault(), StartsWith(one.says))
        << one.arn;
    EXPECT_THAT(OfResource("UntagResource", R"("TagKeys":["a"])", one.arn).Fault(), StartsWith(one.says))
        << one.arn;
    EXPECT_THAT(OfResource("GetResourcePolicy", "", one.arn).Fault(), StartsWith(one.says)) << one.arn;
    EXPECT_THAT(OfResource("DeleteResourcePolicy", "", one.arn).Fault(), StartsWith(one.says)) << one.arn;
    EXPECT_THAT(OfResource("PutResourcePolicy", R"("Policy":"{\"Statement\":[]}")", one.arn).Fault(),
                StartsWith(one.says))
        << one.arn;
  }
  EXPECT_THAT(Call("TagResource", R"({"Tags":{"a":"b"}})").Fault(), HasSubstr("Value null at 'resourceARN'"));
  EXPECT_THAT(Call("AddTagsToStream", R"({"Tags":{"a":"b"}})").Fault(),
              HasSubstr("Either StreamName or StreamARN"));
  EXPECT_THAT(Call("AddTagsToStream", R"({"StreamName":"nowhere","Tags":{"a":"b"}})").Fault(),
              StartsWith("ResourceNotFoundException"));
}

TEST_F(StreamTagsTest, APolicyIsPutReadAndDeleted) {
  EXPECT_EQ(OfResource("GetResourcePolicy").raw.body, R"({"Policy":"{}"})") << "there is none";
  EXPECT_EQ(
      OfResource("DeleteResourcePolicy").Fault(),
      std::string("ResourceNotFoundException: No resource policy found for resource ARN ") + kArn + ".");
  EXPECT_EQ(OfResource("PutResourcePolicy",
                       R"("Policy":"{\"Version\":\"2012-10-17\", \"Statement\":[{\"Effect\":\"Allow\"}]}")")
                .raw.body,
            "");
  Reopen();
  EXPECT_EQ(OfResource("GetResourcePolicy").Text("Policy"),
            R"({"Version":"2012-10-17", "Statement":[{"Effect":"Allow"}]})")
      << "as it was put";
  EXPECT_EQ(OfResource("DeleteResourcePolicy").raw.body, "");
  EXPECT_EQ(OfResource("GetResourcePolicy").raw.body, R"({"Policy":"{}"})");
  for (const char* bad : {R"("")", R"("[]")", R"("{")", R"("{}")", R"("{\"Statement\":7}")"}) {
    EXPECT_THAT(OfResource("PutResourcePolicy", std::string(R"("Policy":)") + bad).Fault(),
                StartsWith("InvalidArgumentException: The resource policy"))
        << bad;
  }
  EXPECT_THAT(OfResource("PutResourcePolicy").Fault(), HasSubstr("Value null at 'policy'"));
  EXPECT_THAT(OfResource("PutResourcePolicy", R"("Policy":{})").Fault(),
              StartsWith("SerializationException"));
  EXPECT_THAT(OfResource("PutResourcePolicy",
                         R"("Policy":"{\"Statement\":[],\"x\":\")" + std::string(21'000, 'x') + R"(\"}")")
                  .Fault(),
              StartsWith("LimitExceededException"));
}

}  // namespace
}  // namespace millrace::api::testing
