// Goal: photographs become collections that survive the server, within their bounds, and the analyzer's
// reader sees each change. Method: the collections over a log of their own; the real binary, its commands and
// its API.
#include "api/v1/face_collections.h"

#include <gmock/gmock.h>

#include <atomic>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <optional>
#include <set>

#include "consumers/faces/collection_reader.h"
#include "consumers/faces/face_recognizer.h"
#include "server/api_client.h"
#include "storage/embedded_log.h"
#include "tests/consumers/sources/scripted_server.h"
#include "tests/server/command_line.h"
#include "tests/wait.h"
#include "wire/base64.h"

namespace millrace::server {
namespace {

using api::FaceCollections;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Timestamp kNow = Timestamp::FromMillis(1'763'690'820'000);

class FaceCollectionsTest : public ::testing::Test {
 protected:
  Result<api::CollectionFace> Add(const std::string& collection, const std::string& person,
                                  const std::string& photograph = "photograph", std::size_t bytes = 100) {
    FacePhoto photo{.image = Bytes(bytes, 7),
                    .in_image = {0.25, 0.25, 0.5, 0.5},
                    .in_photograph = {0.1, 0.2, 0.3, 0.4},
                    .confidence = 97.5};
    return collections_->Add(collection, person, AsBytes(photograph), std::move(photo));
  }

  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-faces-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Open();
  }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Open() {
    log_.reset();
    storage::EmbeddedLogOptions options;
    options.path = (directory_ / "data").string();
    options.clock = &clock_;
    options.reserve_bytes = 0;
    auto opened = storage::EmbeddedLog::Open(options);
    ASSERT_TRUE(opened) << opened.error().ToString();
    log_ = std::move(*opened);
    collections_.emplace(*log_, clock_);
  }

  std::filesystem::path directory_;
  ManualClock clock_{kNow};
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::optional<FaceCollections> collections_;
};

TEST_F(FaceCollectionsTest, WhatGoesInComesOut) {
  ASSERT_TRUE(Add("staff", "ada"));
  ASSERT_TRUE(Add("staff", "leo", "another"));
  ASSERT_TRUE(Add("guests", "ada"));
  const auto all = collections_->List();
  ASSERT_TRUE(all) << all.error().ToString();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].name, "guests");
  EXPECT_EQ((*all)[1].faces, 2u);
  EXPECT_EQ((*all)[1].bytes, 200u);
  Open();  // what was answered is there after a restart
  const auto page = collections_->Faces("staff", "", 10, true);
  ASSERT_TRUE(page) << page.error().ToString();
  ASSERT_EQ(page->faces.size(), 2u);
  EXPECT_FALSE(page->next);
  EXPECT_EQ(page->images, (std::vector<Bytes>{Bytes(100, 7), Bytes(100, 7)}));
  const api::CollectionFace& face = page->faces[page->faces[0].person == "ada" ? 0 : 1];
  EXPECT_EQ(face.created, kNow);
  EXPECT_DOUBLE_EQ(face.confidence, 97.5);
  EXPECT_DOUBLE_EQ(face.in_photograph.height, 0.4);
  EXPECT_DOUBLE_EQ(face.in_image.left, 0.25);
  EXPECT_EQ(face.face_id.size(), 36u);
  EXPECT_EQ(face.image_id.size(), 36u);
}

TEST_F(FaceCollectionsTest, TheSamePhotographReplacesItself) {
  const auto first = Add("staff", "ada", "one", 100);
  const auto again = Add("staff", "ada", "one", 150);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->face_id, again->face_id);
  EXPECT_EQ(collections_->Get("staff")->faces, 1u);
  EXPECT_EQ(collections_->Get("staff")->bytes, 150u);
  EXPECT_NE(Add("staff", "leo", "one")->face_id, first->face_id);
  EXPECT_NE(Add("guests", "ada", "one")->face_id, first->face_id);
}

TEST_F(FaceCollectionsTest, EachChangeIsAnotherVersion) {
  std::set<std::string> versions;
  const auto changed = [&] { return versions.insert(collections_->Get("staff")->Version()).second; };
  ASSERT_TRUE(Add("staff", "ada", "one"));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(Add("staff", "ada", "two"));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(collections_->RemovePerson("staff", "ada"));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(collections_->Delete("staff"));
  clock_.Advance(std::chrono::seconds(1));
  ASSERT_TRUE(Add("staff", "ada", "one"));
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
}

TEST_F(FaceCollectionsTest, FacesComePageByPage) {
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(Add("staff", "ada", std::to_string(i)));
  std::set<std::string> seen;
  std::string after;
  for (int pages = 0;; ++pages) {
    const auto page = collections_->Faces("staff", after, 3, false);
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->images.empty());
    for (const auto& face : page->faces) EXPECT_TRUE(seen.insert(face.face_id).second);
    if (!page->next) break;
    after = *page->next;
    ASSERT_LT(pages, 5);
  }
  EXPECT_EQ(seen.size(), 7u);
}

TEST_F(FaceCollectionsTest, WhatIsRemovedIsGone) {
  ASSERT_TRUE(Add("staff", "ada", "one"));
  ASSERT_TRUE(Add("staff", "ada", "two"));
  const auto leo = Add("staff", "leo", "three");
  EXPECT_EQ(collections_->RemovePerson("staff", "ada").value(), 2u);
  EXPECT_EQ(collections_->Get("staff")->faces, 1u);
  EXPECT_EQ(collections_->RemoveFace("staff", leo->face_id).value(), 1u);
  EXPECT_EQ(collections_->Get("staff")->bytes, 0u);
  ASSERT_TRUE(Add("staff", "leo", "three"));
  ASSERT_TRUE(Add("staffroom", "leo", "three"));
  ASSERT_TRUE(collections_->Delete("staff"));
  EXPECT_EQ(collections_->Get("staffroom")->faces, 1u);
  EXPECT_EQ(log_->ListMetadata("faces/")->size(), 3u);
  for (const auto& error : {collections_->Get("staff").error(), collections_->Delete("staff").error(),
                            collections_->Faces("staff", "", 1, false).error(),
                            collections_->RemovePerson("staff", "leo").error(),
                            collections_->RemovePerson("staffroom", "ada").error(),
                            collections_->RemoveFace("staffroom", "nobody").error()}) {
    EXPECT_EQ(error.code, ErrorCode::kNotFound) << error.message;
  }
}

TEST_F(FaceCollectionsTest, NamesThatAreNoneAreRefused) {
  for (const char* name : {"", "a/b", "a b", "\xC3\xA4", "../x"}) {
    EXPECT_EQ(Add(name, "ada").error().code, ErrorCode::kInvalidArgument) << name;
    EXPECT_EQ(collections_->Get(name).error().code, ErrorCode::kInvalidArgument) << name;
    EXPECT_EQ(Add("staff", name).error().code, ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(Add("staff", std::string(256, 'a')).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Add("staff", std::string(255, 'a')));
  EXPECT_TRUE(Add("staff", "0_a.b:c-D"));
}

TEST_F(FaceCollectionsTest, ThereAreBounds) {
  for (std::size_t i = 0; i < api::kFaceCollectionsMax; ++i) {
    ASSERT_TRUE(Add("c" + std::to_string(i), "ada"));
  }
  EXPECT_EQ(Add("more", "ada").error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(Add("c1", "leo"));
  EXPECT_EQ(Add("c1", "eve", "large", api::kFaceBytesMax).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(FaceCollectionsTest, WhatIsDamagedIsSaidToBe) {
  ASSERT_TRUE(Add("staff", "ada"));
  for (const char* value : {"", "{}", "[1]", "no JSON", R"({"form":1,"created":-1})"}) {
    const std::string text = value;
    ASSERT_TRUE(log_->PutMetadata("faces/collection/staff", Bytes(text.begin(), text.end()), std::nullopt));
    EXPECT_EQ(collections_->Get("staff").error().code, ErrorCode::kCorruption) << value;
  }
  const std::string newer = R"({"form":2})";
  ASSERT_TRUE(log_->PutMetadata("faces/collection/staff", Bytes(newer.begin(), newer.end()), std::nullopt));
  EXPECT_EQ(collections_->Get("staff").error().code, ErrorCode::kUnsupported);
}

class FaceCollectionCommands : public testing::CommandLineTest {
 protected:
  const std::string astronaut_ = std::string(SAMPLE_MEDIA) + "/astronaut.png";
  const std::string footballer_ = std::string(SAMPLE_MEDIA) + "/messi5.jpg";

  std::unique_ptr<GallerySource> Read(const std::string& collection) {
    CollectionReaderOptions options;
    options.endpoint = *wire::Endpoint::Parse(endpoint_);
    options.look_again = std::chrono::milliseconds(20);
    auto reader = CollectionReader::Start(collection, options, std::move(*MakeFaceDetector({})),
                                          std::move(*MakeFaceRecognizer({})));
    EXPECT_TRUE(reader) << reader.error().ToString();
    return reader ? std::move(*reader) : nullptr;
  }
  static bool HasFaces(const GallerySource& source, std::size_t count) {
    return test::WaitUntil([&] { return source.Current()->faces().size() == count; });
  }
};

TEST_F(FaceCollectionCommands, PhotographsAreIndexedReadAndRemoved) {
  Serve();
  EXPECT_THAT(Run({"faces", "collections"}).out, HasSubstr("No collections"));
  const auto reader = Read("staff");
  ASSERT_TRUE(reader);
  EXPECT_TRUE(reader->Current()->faces().empty()) << "it is not there yet";

  auto index = Run({"faces", "index", "staff", astronaut_, "--id", "ada"});
  EXPECT_EQ(index.code, 0) << index.err;
  EXPECT_THAT(index.out, HasSubstr("kept in staff as ada"));
  index = Run({"faces", "index", "staff", footballer_, "--id", "leo", "--json"});
  EXPECT_EQ(index.code, 0) << index.err;
  EXPECT_THAT(index.out, HasSubstr("\"face_id\""));
  EXPECT_THAT(Run({"faces", "collections"}).out, HasSubstr("staff"));
  const auto list = Run({"faces", "list", "--collection", "staff"});
  EXPECT_THAT(list.out, HasSubstr("ada"));
  EXPECT_THAT(list.out, HasSubstr("leo"));
  ASSERT_TRUE(HasFaces(*reader, 2));
  EXPECT_EQ(reader->Current()->unusable(), 0u);

  EXPECT_EQ(Run({"faces", "remove", "staff", "--id", "ada"}).code, 0);
  EXPECT_EQ(Run({"faces", "remove", "staff", "--id", "ada"}).code, 3);
  ASSERT_TRUE(HasFaces(*reader, 1));
  EXPECT_EQ(reader->Current()->faces()[0].person, "leo");
  EXPECT_EQ(Run({"faces", "delete", "staff"}).code, 0);
  EXPECT_EQ(Run({"faces", "delete", "staff"}).code, 3);
  EXPECT_TRUE(HasFaces(*reader, 0));
}

TEST_F(FaceCollectionCommands, WhatIsNoPhotographIsRefused) {
  Serve();
  std::ofstream(directory_ / "text.jpg") << "no photograph";
  std::ofstream(directory_ / "empty.jpg");
  const struct {
    std::vector<std::string> arguments;
    int code;
    const char* says;
  } cases[] = {{{"index", "staff", directory_ / "text.jpg", "--id", "ada"}, 2, "JPEG or a PNG"},
               {{"index", "staff", directory_ / "empty.jpg", "--id", "ada"}, 2, "empty"},
               {{"index", "staff", directory_ / "none.jpg", "--id", "ada"}, 3, "cannot read"},
               {{"index", "staff", astronaut_, "--id", "a da"}, 2, "a-z"},
               {{"index", "sta ff", astronaut_, "--id", "ada"}, 2, "collection"},
               {{"index", "staff", astronaut_}, 2, "--id"},
               {{"list"}, 2, "STREAM or --collection"},
               {{"list", "door", "--collection", "staff"}, 2, "--collection"},
               {{"list", "--collection", "staff"}, 3, "does not exist"},
               {{"remove", "staff"}, 2, "--face-id"},
               {{"remove", "staff", "--id", "ada", "--face-id", "x"}, 2, "--face-id"}};
  for (const auto& test : cases) {
    std::vector<std::string> arguments{"faces"};
    arguments.insert(arguments.end(), test.arguments.begin(), test.arguments.end());
    const auto done = Run(arguments);
    EXPECT_EQ(done.code, test.code) << done.err;
    EXPECT_THAT(done.err, HasSubstr(test.says));
  }
  auto api = ApiClient::Make(endpoint_);
  for (const char* query :
       {"", "?limit=0", "?limit=1001", "?images=yes", "?images=true&limit=51", "?id=ada"}) {
    const auto answer = api->Call("GET", std::string("/v1/face-collections/staff/faces") + query);
    EXPECT_FALSE(answer) << query;
  }
  EXPECT_EQ(api->Call("POST", "/v1/face-collections/staff/faces", "x").error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(api->Call("POST", "/v1/face-collections/staff/faces?id=ada", "").error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(api->Call("DELETE", "/v1/face-collections/staff/faces").error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(FaceCollectionCommands, AReaderOfAServerThatIsNotThereSaysSo) {
  CollectionReaderOptions options;
  options.endpoint = *wire::Endpoint::Parse("http://127.0.0.1:1");
  const auto reader = CollectionReader::Start("staff", options, std::move(*MakeFaceDetector({})),
                                              std::move(*MakeFaceRecognizer({})));
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(reader.error().message, HasSubstr("staff"));
}

// Looks for no faces, and counts the pictures that it is shown.
class CountingDetector final : public FaceDetector {
 public:
  explicit CountingDetector(std::atomic<int>& pictures) : pictures_(pictures) {}
  std::string version() const override { return "counting1"; }
  PictureForm form() const override { return {PictureFormat::kGray, 0}; }
  std::vector<Face> Detect(const cv::Mat&) override {
    ++pictures_;
    return {};
  }

 private:
  std::atomic<int>& pictures_;
};

// A server with a collection that may change with each page; version n has n faces.
class ChangingCollection {
 public:
  // `versions`: of the collection, request by request; the last one stays.
  explicit ChangingCollection(std::vector<int> versions)
      : versions_(std::move(versions)),
        server_([this](const ::millrace::testing::ScriptedRequest& request) { return Answer(request); }) {
    std::vector<unsigned char> image;
    EXPECT_TRUE(cv::imencode(".png", cv::Mat(64, 64, CV_8UC1, cv::Scalar::all(120)), image));
    const std::lock_guard lock(mutex_);
    image_ = wire::EncodeBase64(image);
  }

  Result<std::unique_ptr<GallerySource>> Read() {
    CollectionReaderOptions options;
    options.endpoint = server_.endpoint();
    options.look_again = std::chrono::milliseconds(5);
    return CollectionReader::Start("staff", options, std::make_unique<CountingDetector>(pictures_),
                                   std::move(*MakeFaceRecognizer({})));
  }
  // From now on.
  void Become(int version) {
    const std::lock_guard lock(mutex_);
    versions_ = {version};
  }
  int pictures() const { return pictures_; }

 private:
  ::millrace::testing::ScriptedAnswer Answer(const ::millrace::testing::ScriptedRequest& request) {
    int version = 0;
    std::string image;
    {
      const std::lock_guard lock(mutex_);
      version = versions_.front();
      image = image_;
      if (versions_.size() > 1) versions_.erase(versions_.begin());
    }
    boost::json::object answer{{"name", "staff"}, {"version", std::to_string(version)}};
    if (request.target.find("/faces?") != std::string::npos) {
      const boost::json::object box{{"Height", 0.5}, {"Width", 0.5}, {"Left", 0.25}, {"Top", 0.25}};
      boost::json::array faces;
      for (int i = 0; i < version; ++i) {
        faces.push_back(boost::json::object{{"face_id", "face-" + std::to_string(i)},
                                            {"image_id", "image-" + std::to_string(i)},
                                            {"id", "ada"},
                                            {"confidence", 99},
                                            {"bounding_box", box},
                                            {"box_in_image", box},
                                            {"image", image}});
      }
      answer["faces"] = std::move(faces);
      answer["next"] = nullptr;
    }
    return {.status = 200, .body = boost::json::serialize(answer)};
  }

  std::mutex mutex_;
  std::vector<int> versions_;  // GUARDED_BY(mutex_)
  std::string image_;          // GUARDED_BY(mutex_)
  std::atomic<int> pictures_ = 0;
  ::millrace::testing::ScriptedServer server_;  // last: it uses all of the above
};

TEST(CollectionReaderTest, WhatChangesWhileItIsReadIsReadAgain) {
  ChangingCollection collection({1, 2, 2, 3});  // twice another when its faces are read
  const auto reader = collection.Read();
  ASSERT_TRUE(reader) << reader.error().ToString();
  EXPECT_EQ((*reader)->Current()->version(), "3");
  EXPECT_EQ((*reader)->Current()->faces().size(), 3u);
}

TEST(CollectionReaderTest, WhatChangesEachTimeIsAnErrorInTheEnd) {
  std::vector<int> versions;
  for (int i = 0; i < 100; ++i) versions.push_back(i % 2);
  ChangingCollection collection(std::move(versions));
  const auto reader = collection.Read();
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(reader.error().message, HasSubstr("changed each of 8 times"));
}

TEST(CollectionReaderTest, OnlyNewFacesAreLookedAt) {
  ChangingCollection collection({3});
  const auto reader = collection.Read();
  ASSERT_TRUE(reader) << reader.error().ToString();
  EXPECT_EQ(collection.pictures(), 3);
  const auto becomes = [&](int version) {
    collection.Become(version);
    return test::WaitUntil(
        [&] { return (*reader)->Current()->faces().size() == static_cast<std::size_t>(version); });
  };
  ASSERT_TRUE(becomes(4));
  EXPECT_EQ(collection.pictures(), 4);
  ASSERT_TRUE(becomes(2));
  EXPECT_EQ(collection.pictures(), 4);
}

}  // namespace
}  // namespace millrace::server
