// The services over HTTP, on a real log in a temporary directory; cameras are sources that only pretend to
// connect.
#include "api/v1/services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "api/access/access_control.h"
#include "api/http/origin_policy.h"
#include "api/http/server.h"
#include "api/v1/json.h"
#include "api/web_routes.h"
#include "consumers/hls/hls_service.h"
#include "ingest/camera_fleet.h"
#include "ingest/recorder_sink.h"
#include "storage/embedded_log.h"
#include "tests/api/http/raw_client.h"
#include "tests/wait.h"

namespace millrace::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawAnswer;
using testing::RawClient;

class SilentSource final : public RtspSource {
 public:
  Result<void> Start() override { return {}; }
  void Stop() override {}
};

class MemoryCameraStore final : public CameraStore {
 public:
  Result<std::vector<StoredCamera>> Load() override { return std::vector<StoredCamera>(); }
  Result<void> Save(const StoredCamera& camera) override {
    last = camera;
    return {};
  }
  Result<void> Remove(const std::string&) override { return {}; }
  std::optional<StoredCamera> last;
};

class ServicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-api-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    storage::EmbeddedLogOptions log_options;
    log_options.path = (directory_ / "data").string();
    auto log = storage::EmbeddedLog::Open(log_options);
    ASSERT_TRUE(log) << log.error().ToString();
    log_ = std::move(*log);
    auto store = FragmentStore::Open(*log_, {});
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = std::move(*store);
    auto ledger = CoverageLedger::Open(*log_, *store_, {});
    ASSERT_TRUE(ledger) << ledger.error().ToString();
    ledger_ = std::move(*ledger);
    auto fleet =
        CameraFleet::Start(cameras_, MakeRecorderSinks(*store_, {}), {},
                           [](const RtspSourceOptions&, RtspSourceEvents&) -> std::unique_ptr<RtspSource> {
                             return std::make_unique<SilentSource>();
                           });
    ASSERT_TRUE(fleet) << fleet.error().ToString();
    fleet_ = std::move(*fleet);
    hls_ = std::make_unique<HlsService>(*store_, HlsOptions{});
    MakeConsole();
    auto camera_of = [this](const std::string& stream) { return fleet_->CameraOfStream(stream); };
    AddCameraRoutes(router_, {*fleet_, *store_, pool_, {"dogs", "faces"}});
    AddStreamRoutes(router_, {*store_, pool_, camera_of, SystemClock(), *ledger_});
    AddExportRoutes(router_, {*store_, pool_, export_pool_, SystemClock()});
    AddHlsRoutes(router_, *hls_, pool_);
    AddHealthRoutes(router_, pool_, [this] { return ready_; });
    AddConsoleRoutes(router_, pool_, directory_ / "console");
    ServerOptions options;
    options.port = 0;
    options.threads = 2;
    auto server = Server::Start(dispatcher_, options);
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = std::move(*server);
  }

  void TearDown() override {
    server_.reset();
    fleet_.reset();
    hls_.reset();
    ledger_.reset();
    store_.reset();
    log_.reset();
    std::filesystem::remove_all(directory_);
  }

  void MakeConsole() {
    std::filesystem::create_directories(directory_ / "console/assets");
    Write("console/index.html", "<!doctype html>page");
    Write("console/assets/main-1a2b.js", "run()");
    Write("console/assets/.hidden", "hidden");
    Write("outside.txt", "outside");
    std::filesystem::create_symlink(directory_ / "outside.txt", directory_ / "console/assets/link.txt");
  }
  void Write(const std::string& name, const std::string& text) { std::ofstream(directory_ / name) << text; }

  RawAnswer Ask(const std::string& method, const std::string& target, const std::string& body = "",
                const std::string& headers = "") {
    RawClient client(server_->port());
    client.Send(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.Receive(method == "HEAD");
  }
  RawAnswer Get(const std::string& target) { return Ask("GET", target); }

  // Fragments of one second each, one after another from `start`; waits until they are durable.
  std::vector<FragmentNumber> Record(const std::string& name, Timestamp start, int count) {
    auto stream = store_->GetStream(name);
    if (!stream) stream = store_->CreateStream(name, std::chrono::hours(168));
    EXPECT_TRUE(stream);
    auto run = store_->OpenRun(*stream);
    EXPECT_TRUE(run);
    std::vector<FragmentNumber> numbers;
    for (int i = 0; i < count; ++i) {
      Fragment fragment;
      auto number = store_->OpenFragment(*stream);
      EXPECT_TRUE(number);
      fragment.facts.number = *number;
      fragment.facts.start = start + std::chrono::seconds(i);
      fragment.facts.duration = std::chrono::seconds(1);
      fragment.facts.server_start = fragment.facts.start;
      fragment.facts.bytes = 4;
      fragment.facts.run = *run;
      fragment.facts.run_start = start;
      fragment.mkv = SharedBytes(Bytes{1, 2, 3, 4});
      std::promise<bool> done;
      store_->Append(*stream, std::move(fragment),
                     [&](const Result<FragmentNumber>& r) { done.set_value(bool(r)); });
      EXPECT_TRUE(done.get_future().get());
      numbers.push_back(*number);
    }
    return numbers;
  }

  std::filesystem::path directory_;
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<FragmentStore> store_;
  std::unique_ptr<CoverageLedger> ledger_;
  MemoryCameraStore cameras_;
  std::unique_ptr<CameraFleet> fleet_;
  std::unique_ptr<HlsService> hls_;
  WorkerPool pool_{2, 16};
  WorkerPool export_pool_{1, 0};
  Result<void> ready_;
  Router router_;
  Dispatcher dispatcher_{router_, CheckCaller};
  std::unique_ptr<Server> server_;
};

TEST_F(ServicesTest, ACameraIsMadeChangedShownAndRemoved) {
  EXPECT_EQ(Get("/v1/cameras").body, "{\"cameras\":[]}\n");
  RawAnswer made =
      Ask("PUT", "/v1/cameras/door", R"({"url":"rtsp://admin:s3cret@10.0.0.9/s","labels":{"a":"b"}})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_THAT(made.body, HasSubstr(R"("url":"rtsp://10.0.0.9/s")"));
  EXPECT_THAT(made.body, HasSubstr(R"("has_credentials":true)"));
  EXPECT_THAT(made.body, HasSubstr(R"("retention_hours":168)"));
  EXPECT_THAT(made.body, Not(HasSubstr("s3cret")));
  ASSERT_TRUE(cameras_.last && cameras_.last->credentials);
  EXPECT_EQ(cameras_.last->credentials->password, "s3cret");

  // Credentials stay with the host, and do not go to another one.
  EXPECT_EQ(Ask("PUT", "/v1/cameras/door", R"({"url":"rtsp://10.0.0.9/other"})").status, 200);
  EXPECT_THAT(Get("/v1/cameras/door").body, HasSubstr(R"("has_credentials":true)"));
  EXPECT_EQ(Ask("PUT", "/v1/cameras/door", R"({"url":"rtsp://10.0.0.10/s"})").status, 200);
  EXPECT_THAT(Get("/v1/cameras/door").body, HasSubstr(R"("has_credentials":false)"));

  EXPECT_EQ(Ask("DELETE", "/v1/cameras/door").status, 200);
  RawAnswer gone = Get("/v1/cameras/door");
  EXPECT_EQ(gone.status, 404);
  EXPECT_THAT(gone.body, HasSubstr("GET /v1/cameras lists them"));
}

TEST_F(ServicesTest, WhoseACameraIsIsNotForARequestToSay) {
  const std::string labelled = R"({"url":"rtsp://h/s","enabled":false,"labels":{"edge":"arn:aws:iot"}})";
  ASSERT_EQ(Ask("PUT", "/v1/cameras/mine", labelled).status, 201);
  EXPECT_FALSE(cameras_.last->settings.edge);
  EXPECT_EQ(Ask("PUT", "/v1/cameras/mine", R"({"url":"rtsp://h/s","edge":true})").status, 400);
  CameraSettings settings;
  settings.name = settings.stream = "door";
  settings.url = "rtsp://h/s";
  settings.enabled = false;
  settings.edge = true;
  ASSERT_TRUE(fleet_->Put(settings, std::nullopt));
  ASSERT_EQ(Ask("PUT", "/v1/cameras/door", R"({"url":"rtsp://h/other","enabled":false})").status, 200);
  EXPECT_TRUE(cameras_.last->settings.edge) << "it stays its configuration's";
}

TEST_F(ServicesTest, FootageOfARemovedCameraIsKeptOrPurged) {
  Record("a", *ParseTime("2026-11-21T10:00:00Z"), 2);
  ASSERT_EQ(Ask("PUT", "/v1/cameras/a", R"({"url":"rtsp://h/s","enabled":false,"retention_hours":1})").status,
            201);
  EXPECT_THAT(Ask("DELETE", "/v1/cameras/a?footage=keep").body,
              HasSubstr(R"("kept_until":"2026-11-21T11:00:02.000Z")"));
  EXPECT_EQ(Get("/v1/streams/a").status, 200);
  ASSERT_EQ(Ask("PUT", "/v1/cameras/a", R"({"url":"rtsp://h/s","enabled":false})").status, 201);
  RawAnswer fed = Ask("DELETE", "/v1/streams/a");
  EXPECT_EQ(fed.status, 409);
  EXPECT_THAT(fed.body, HasSubstr("remove the camera first"));
  EXPECT_EQ(Ask("DELETE", "/v1/cameras/a?footage=purge").status, 200);
  EXPECT_EQ(Get("/v1/streams/a").status, 404);
}

// The same services for a user who may do what these statements say.
class GuardedServicesTest : public ServicesTest {
 protected:
  static constexpr char kAccount[] = ":us-east-1:000000000000:";

  void Guard(std::vector<PolicyStatement> statements) {
    auto policy = std::make_shared<const Policy>(Policy{"hers", std::move(statements)});
    ASSERT_TRUE(credentials_.Replace({{"ann", {{"MRANN", "secret"}}, {policy}}}));
    AccessControl::Options access_options;
    access_options.credentials = &credentials_;
    access_options.sessions = &sessions_;
    guarded_.reset();  // it uses the ones before
    access_ = std::make_unique<AccessControl>(access_options);
    guarded_dispatcher_ = std::make_unique<Dispatcher>(router_, *access_);
    ServerOptions options;
    options.port = 0;
    auto server = Server::Start(*guarded_dispatcher_, options);
    ASSERT_TRUE(server) << server.error().ToString();
    guarded_ = std::move(*server);
  }
  void TearDown() override {
    guarded_.reset();
    ServicesTest::TearDown();
  }
  RawAnswer AsAnn(const std::string& method, const std::string& target, const std::string& body = "") {
    const std::string token =
        sessions_.Make(*credentials_.Now(), "MRANN", SystemClock().Now() + std::chrono::hours(1));
    RawClient client(guarded_->port());
    client.Send(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.Receive();
  }

  CredentialStore credentials_;
  const wire::TokenSealer sealer_{wire::TokenSealer::MakeKey()};
  const Sessions sessions_{sealer_, SystemClock()};
  std::unique_ptr<AccessControl> access_;
  std::unique_ptr<Dispatcher> guarded_dispatcher_;
  std::unique_ptr<Server> guarded_;
};

TEST_F(GuardedServicesTest, WhoMayChangeACameraMayNotTouchOtherStreams) {
  const std::string account = kAccount;
  PolicyStatement own{
      true, {"millrace:PutCamera", "millrace:DeleteCamera"}, {"arn:aws:millrace" + account + "camera/mine*"}};
  PolicyStatement feed{
      true, {"kinesisvideo:PutMedia"}, {"arn:aws:kinesisvideo" + account + "stream/shared/*"}};
  PolicyStatement erase{true, {"millrace:DeleteStream"}, {"arn:aws:millrace" + account + "stream/mine1"}};
  Guard({own, feed, erase});
  const auto camera = [](const std::string& stream) {
    return R"({"url":"rtsp://h/s","enabled":false,"stream":")" + stream + "\"}";
  };
  Record("evidence", *ParseTime("2026-11-21T10:00:00Z"), 2);

  // She cannot take a stream over that no camera feeds, also not with a camera that is there already.
  const RawAnswer taken = AsAnn("PUT", "/v1/cameras/mine1", camera("evidence"));
  EXPECT_EQ(taken.status, 403);
  EXPECT_THAT(taken.body, HasSubstr("kinesisvideo:PutMedia"));
  EXPECT_EQ(AsAnn("PUT", "/v1/cameras/yours", camera("yours")).status, 403);
  EXPECT_EQ(AsAnn("PUT", "/v1/cameras/mine1", camera("mine1")).status, 201);
  EXPECT_EQ(AsAnn("PUT", "/v1/cameras/mine1", camera("evidence")).status, 403);
  EXPECT_THAT(Get("/v1/cameras/mine1").body, HasSubstr(R"("stream":"mine1")"));
  EXPECT_EQ(AsAnn("PUT", "/v1/cameras/mine2", camera("shared")).status, 201);

  // Nor erase one that somebody else gave to her camera; the camera stays then.
  EXPECT_EQ(Ask("PUT", "/v1/cameras/mine3", camera("evidence")).status, 201);
  const RawAnswer purged = AsAnn("DELETE", "/v1/cameras/mine3?footage=purge");
  EXPECT_EQ(purged.status, 403);
  EXPECT_THAT(purged.body, HasSubstr("millrace:DeleteStream"));
  EXPECT_EQ(AsAnn("DELETE", "/v1/cameras/mine2?footage=purge").status, 403);
  EXPECT_EQ(Get("/v1/cameras/mine3").status, 200);
  EXPECT_EQ(Get("/v1/streams/evidence").status, 200);
  EXPECT_EQ(AsAnn("DELETE", "/v1/cameras/mine3?footage=keep").status, 200);
  EXPECT_EQ(Get("/v1/streams/evidence").status, 200);
  EXPECT_EQ(AsAnn("DELETE", "/v1/cameras/mine1?footage=purge").status, 200);
}

TEST_F(GuardedServicesTest, ListsShowWhatMayBeLookedAt) {
  const auto camera = [](const std::string& name) {
    return R"({"url":"rtsp://h/s","enabled":false,"labels":{"n":")" + name + "\"}}";
  };
  for (const std::string name : {"door", "door-2", "vault"})
    ASSERT_EQ(Ask("PUT", "/v1/cameras/" + name, camera(name)).status, 201);
  for (const std::string name : {"yard", "vault-log"}) Record(name, *ParseTime("2026-11-21T10:00:00Z"), 1);
  const std::string own = std::string("arn:aws:millrace") + kAccount;
  Guard({{true, {"millrace:*"}, {"*"}},
         {false,
          {"millrace:GetCamera", "millrace:GetStream"},
          {own + "camera/vault*", own + "stream/vault*"}}});
  const RawAnswer cameras = AsAnn("GET", "/v1/cameras");
  EXPECT_EQ(cameras.status, 200);
  EXPECT_THAT(cameras.body, HasSubstr("\"door\""));
  EXPECT_THAT(cameras.body, HasSubstr("\"door-2\""));
  EXPECT_THAT(cameras.body, Not(HasSubstr("vault")));
  const RawAnswer streams = AsAnn("GET", "/v1/streams");
  EXPECT_EQ(streams.status, 200);
  EXPECT_THAT(streams.body, HasSubstr("\"yard\""));
  EXPECT_THAT(streams.body, Not(HasSubstr("vault")));
  // Who may list, and look at nothing, sees nothing; who may not list is told so.
  Guard({{true, {"millrace:List*"}, {"*"}}});
  EXPECT_EQ(AsAnn("GET", "/v1/cameras").body, "{\"cameras\":[]}\n");
  EXPECT_EQ(AsAnn("GET", "/v1/streams").body, "{\"streams\":[]}\n");
  Guard({{true, {"millrace:Get*"}, {"*"}}});
  EXPECT_EQ(AsAnn("GET", "/v1/cameras").status, 403);
  // Without users everybody on the machine sees all.
  EXPECT_THAT(Get("/v1/cameras").body, HasSubstr("vault"));
  EXPECT_THAT(Get("/v1/streams").body, HasSubstr("vault-log"));
}

TEST_F(ServicesTest, StreamsTellWhatTheyHold) {
  Record("yard", *ParseTime("2026-11-21T10:00:00Z"), 3);
  Record("yard", *ParseTime("2026-11-21T10:00:10Z"), 2);
  RawAnswer stream = Get("/v1/streams/yard");
  EXPECT_THAT(stream.body, HasSubstr(R"("fragments":5)"));
  EXPECT_THAT(stream.body,
              HasSubstr(R"("first":"2026-11-21T10:00:00.000Z","last":"2026-11-21T10:00:12.000Z")"));
  EXPECT_THAT(stream.body, HasSubstr(R"("live":false,"camera":null)"));
  EXPECT_THAT(Get("/v1/streams").body, HasSubstr(R"("name":"yard")"));
  EXPECT_EQ(Ask("DELETE", "/v1/streams/yard").status, 200);
  EXPECT_EQ(Get("/v1/streams/yard/coverage").status, 404);
}

TEST_F(ServicesTest, CoverageSaysWhatIsRecordedAndWhyTheRestIsNot) {
  Record("yard", *ParseTime("2025-11-21T10:00:00Z"), 3);
  Record("yard", *ParseTime("2025-11-21T10:00:10Z"), 2);
  RawAnswer coverage =
      Get("/v1/streams/yard/coverage?start=2025-11-21T10:00:00Z&end=2025-11-21T11:00:00%2B01:00");
  EXPECT_EQ(coverage.status, 400);  // the same instant
  coverage = Get("/v1/streams/yard/coverage?start=2025-11-21T10:00:00Z&end=2025-11-21T11:01:00+01:00");
  EXPECT_THAT(
      coverage.body,
      HasSubstr(R"("intervals":[{"start":"2025-11-21T10:00:00.000Z","end":"2025-11-21T10:00:03.000Z",)"
                R"("state":"recorded"},{"start":"2025-11-21T10:00:03.000Z",)"
                R"("end":"2025-11-21T10:00:10.000Z","state":"gap","cause":"not_recorded"},)"
                R"({"start":"2025-11-21T10:00:10.000Z","end":"2025-11-21T10:00:12.000Z",)"
                R"("state":"recorded"},{"start":"2025-11-21T10:00:12.000Z",)"
                R"("end":"2025-11-21T10:01:00.000Z","state":"gap","cause":"not_recorded"}])"));
  ledger_->BeginGap("yard", GapCause::kUnreachable, SystemClock().Now(), "it said \"no\"");
  const Timestamp begun = SystemClock().Now();
  while (SystemClock().Now() <= begun + std::chrono::milliseconds(1)) {
  }
  EXPECT_THAT(Get("/v1/streams/yard/coverage").body,
              HasSubstr(R"("state":"gap","cause":"unreachable","detail":"it said \"no\""})"));
  EXPECT_EQ(Ask("DELETE", "/v1/streams/yard").status, 200);
  EXPECT_EQ(Get("/v1/streams/yard/coverage").status, 404);
}

TEST_F(ServicesTest, FootageIsDeletedForGood) {
  const auto numbers = Record("yard", *ParseTime("2026-11-21T10:00:00Z"), 10);
  const std::string hls = "/hls/yard/" + numbers[4].ToString() + ".m4s";
  RawAnswer deleted =
      Ask("DELETE", "/v1/streams/yard/footage?start=2026-11-21T10:00:03.5Z&end=2026-11-21T10:00:06Z");
  EXPECT_EQ(deleted.status, 200) << deleted.body;
  EXPECT_EQ(deleted.body,
            R"({"deleted_fragments":3,"deleted_bytes":12,"spans":[{"start":"2026-11-21T10:00:03.000Z",)"
            R"("end":"2026-11-21T10:00:06.000Z"}]})"
            "\n");
  EXPECT_EQ(Get(hls).status, 404);
  EXPECT_THAT(Get("/v1/streams/yard").body, HasSubstr(R"("fragments":7)"));
  EXPECT_THAT(
      Ask("DELETE", "/v1/streams/yard/footage?start=2026-11-21T10:00:03.5Z&end=2026-11-21T10:00:06Z").body,
      HasSubstr(R"("deleted_fragments":0)"));
  EXPECT_THAT(Ask("DELETE",
                  "/v1/streams/yard/footage?clock=server&start=2026-11-21T10:00:00Z&end=2026-11-21T10:00:01Z")
                  .body,
              HasSubstr(R"("deleted_fragments":1)"));
}

TEST_F(ServicesTest, FootageIsHeldUntilItIsReleased) {
  Record("yard", *ParseTime("2026-11-21T10:00:00Z"), 10);
  const std::string hold = "/v1/streams/yard/holds/case-7";
  const std::string body =
      R"({"start":"2026-11-21T10:00:02Z","end":"2026-11-21T10:00:04Z","reason":"police"})";
  RawAnswer placed = Ask("PUT", hold, body);
  EXPECT_EQ(placed.status, 201) << placed.body;
  EXPECT_THAT(placed.body, HasSubstr(R"("end":"2026-11-21T10:00:04.000Z","reason":"police")"));
  EXPECT_EQ(Ask("PUT", hold, body).status, 200);
  EXPECT_EQ(Ask("PUT", hold, R"({"start":"2026-11-21T10:00:02Z"})").status, 409);
  EXPECT_EQ(Ask("PUT", "/v1/streams/yard/holds/open", R"({"start":"2099-11-21T10:00:02Z"})").status, 201);
  EXPECT_THAT(Get("/v1/streams/yard/holds").body, HasSubstr(R"("id":"open")"));
  EXPECT_THAT(Get(hold).body, HasSubstr(R"("reason":"police")"));

  const std::string footage = "/v1/streams/yard/footage?start=2026-11-21T10:00:03Z&end=2026-11-21T10:00:09Z";
  RawAnswer refused = Ask("DELETE", footage);
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("case-7"));
  refused = Ask("DELETE", "/v1/streams/yard");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("case-7"));
  EXPECT_THAT(Get("/v1/streams/yard").body, HasSubstr(R"("fragments":10)"));

  EXPECT_EQ(Ask("DELETE", hold).body, "{\"released\":\"case-7\"}\n");
  EXPECT_EQ(Ask("DELETE", "/v1/streams/yard/holds/open").status, 200);
  EXPECT_EQ(Get(hold).status, 404);
  EXPECT_EQ(Ask("DELETE", footage).status, 200);
  EXPECT_EQ(Ask("DELETE", "/v1/streams/yard").status, 200);
}

TEST_F(ServicesTest, ACameraOfHeldFootageIsRemovedWithoutIt) {
  ASSERT_EQ(Ask("PUT", "/v1/cameras/a", R"({"url":"rtsp://h/s","enabled":false})").status, 201);
  Record("a", *ParseTime("2026-11-21T10:00:00Z"), 2);
  ASSERT_EQ(Ask("PUT", "/v1/streams/a/holds/h", R"({"start":"2026-11-21T10:00:00Z"})").status, 201);
  RawAnswer held = Ask("DELETE", "/v1/cameras/a?footage=purge");
  EXPECT_EQ(held.status, 409);
  EXPECT_THAT(held.body, HasSubstr("footage=keep"));
  EXPECT_EQ(Get("/v1/cameras/a").status, 200);
  EXPECT_EQ(Ask("DELETE", "/v1/cameras/a?footage=keep").status, 200);
}

TEST_F(ServicesTest, FragmentsAreListedPageByPageEachOnce) {
  auto numbers = Record("yard", *ParseTime("2026-11-21T10:00:00Z"), 7);
  std::string target = "/v1/streams/yard/fragments?limit=3";
  std::string next;
  std::size_t seen = 0;
  for (int page = 0; page < 5; ++page) {
    RawAnswer answer = Get(target + next);
    ASSERT_EQ(answer.status, 200) << answer.body;
    auto object = ParseJsonObject(answer.body);
    ASSERT_TRUE(object);
    for (const auto& item : object->at("fragments").as_array()) {
      ASSERT_LT(seen, numbers.size());
      EXPECT_EQ(std::string(item.as_object().at("number").as_string()), numbers[seen].ToString());
      ++seen;
    }
    if (object->at("next").is_null()) break;
    next = "&next=" + std::string(object->at("next").as_string());
  }
  EXPECT_EQ(seen, numbers.size());
  // A range begins with the fragment that contains its start.
  RawAnswer range = Get("/v1/streams/yard/fragments?start=2026-11-21T10:00:02.5Z&end=2026-11-21T10:00:04Z");
  EXPECT_THAT(range.body, HasSubstr(numbers[2].ToString()));
  EXPECT_THAT(range.body, HasSubstr(numbers[3].ToString()));
  EXPECT_THAT(range.body, Not(HasSubstr(numbers[4].ToString())));
  RawAnswer after = Get("/v1/streams/yard/fragments?after=" + numbers[5].ToString());
  EXPECT_THAT(after.body, HasSubstr(numbers[6].ToString()));
  EXPECT_THAT(after.body, Not(HasSubstr(numbers[5].ToString())));
  RawAnswer last = Get("/v1/streams/yard/fragments?last=2");
  EXPECT_LT(last.body.find(numbers[5].ToString()), last.body.find(numbers[6].ToString()));
  EXPECT_THAT(last.body, Not(HasSubstr(numbers[4].ToString())));
}

TEST_F(ServicesTest, HealthReadinessAndMetrics) {
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 200);
  ready_ = Error{ErrorCode::kNoSpace, "the disk is full"};
  RawAnswer away = Get("/readyz");
  EXPECT_EQ(away.status, 503);
  EXPECT_THAT(away.body, HasSubstr("the disk is full"));
  // A request is counted when it has been answered.
  RawAnswer metrics;
  const std::string counted = "millrace_api_requests_total{method=\"GET\",route=\"/readyz\",status=\"503\"}";
  EXPECT_TRUE(test::WaitUntil([&] {
    metrics = Get("/metrics");
    return metrics.body.find(counted) != std::string::npos;
  })) << metrics.body;
  EXPECT_THAT(metrics.Header("Content-Type"), HasSubstr("version=0.0.4"));
}

TEST_F(ServicesTest, TheConsoleIsServedFromItsDirectoryAlone) {
  RawAnswer page = Get("/");
  EXPECT_EQ(page.body, "<!doctype html>page");
  EXPECT_EQ(page.Header("Cache-Control"), "no-cache");
  EXPECT_EQ(page.Header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.Header("Content-Security-Policy"), HasSubstr("default-src 'self'"));
  EXPECT_EQ(page.Header("X-Content-Type-Options"), "nosniff");
  RawAnswer script = Get("/assets/main-1a2b.js");
  EXPECT_EQ(script.body, "run()");
  EXPECT_THAT(script.Header("Cache-Control"), HasSubstr("immutable"));
  EXPECT_THAT(script.Header("Content-Type"), HasSubstr("text/javascript"));
  for (const char* target :
       {"/assets/link.txt", "/assets/.hidden", "/assets/..%2f..%2foutside.txt", "/assets/%2fetc/passwd",
        "/assets/", "/assets//etc/passwd", "/assets/..%5coutside.txt", "/outside.txt"}) {
    RawAnswer answer = Get(target);
    EXPECT_TRUE(answer.status == 404 || answer.status == 400) << target << ": " << answer.status;
    EXPECT_THAT(answer.body, HasSubstr("\"error\""));
  }
  std::filesystem::remove_all(directory_ / "console");
  EXPECT_THAT(Get("/").body, HasSubstr("The console is not built"));
}

struct BadCall {
  const char* name;
  const char* method;
  std::string target;
  std::string body;
  int status;
  const char* message;
};

class BadCalls : public ServicesTest, public ::testing::WithParamInterface<BadCall> {};

TEST_P(BadCalls, GetA4xxThatSaysWhatToDo) {
  Record("yard", *ParseTime("2026-11-21T10:00:00Z"), 1);
  RawAnswer answer = Ask(GetParam().method, GetParam().target, GetParam().body);
  EXPECT_EQ(answer.status, GetParam().status) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(GetParam().message));
  EXPECT_THAT(answer.body, HasSubstr("{\"error\":{\"code\":\""));
}

INSTANTIATE_TEST_SUITE_P(
    Api, BadCalls,
    ::testing::Values(
        BadCall{"unknown_camera", "GET", "/v1/cameras/nope", "", 404, "'nope'"},
        BadCall{"remove_unknown_camera", "DELETE", "/v1/cameras/nope", "", 404, "'nope'"},
        BadCall{"camera_name", "PUT", "/v1/cameras/a%20b", R"({"url":"rtsp://h/s"})", 400, "camera name"},
        BadCall{"camera_no_body", "PUT", "/v1/cameras/a", "", 400, "empty"},
        BadCall{"camera_bad_json", "PUT", "/v1/cameras/a", "{", 400, "not JSON"},
        BadCall{"camera_bad_url", "PUT", "/v1/cameras/a", R"({"url":"ftp://h"})", 400, "rtsp://"},
        BadCall{"camera_query", "PUT", "/v1/cameras/a?x=1", R"({"url":"rtsp://h/s"})", 400, "'x'"},
        BadCall{"camera_large", "PUT", "/v1/cameras/a", std::string(70'000, ' '), 413, "65536"},
        BadCall{"camera_analyzer", "PUT", "/v1/cameras/a", R"({"url":"rtsp://h/s","analyzers":["cats"]})",
                400, "known: dogs faces"},
        BadCall{"camera_post", "POST", "/v1/cameras/a", "{}", 405, "PUT"},
        BadCall{"cameras_put", "PUT", "/v1/cameras", "{}", 405, "GET"},
        BadCall{"footage", "DELETE", "/v1/cameras/a?footage=burn", "", 400, "purge"},
        BadCall{"unknown_stream", "GET", "/v1/streams/nope", "", 404, "'nope'"},
        BadCall{"delete_unknown_stream", "DELETE", "/v1/streams/nope", "", 404, "'nope'"},
        BadCall{"coverage_of_unknown", "GET", "/v1/streams/nope/coverage", "", 404, "'nope'"},
        BadCall{"bad_time", "GET", "/v1/streams/yard/coverage?start=yesterday", "", 400,
                "2026-11-21T14:03:00Z"},
        BadCall{"backwards", "GET", "/v1/streams/yard/coverage?start=20&end=10", "", 400, "after 'start'"},
        BadCall{"future", "GET", "/v1/streams/yard/coverage?start=9000000000", "", 400, "now"},
        BadCall{"coverage_query", "GET", "/v1/streams/yard/coverage?begin=1", "", 400, "known: start, end"},
        BadCall{"twice", "GET", "/v1/streams/yard/coverage?start=1&start=2", "", 400, "twice"},
        BadCall{"limit_zero", "GET", "/v1/streams/yard/fragments?limit=0", "", 400, "1 to 1000"},
        BadCall{"limit_large", "GET", "/v1/streams/yard/fragments?limit=99999999999999", "", 400,
                "1 to 1000"},
        BadCall{"limit_text", "GET", "/v1/streams/yard/fragments?limit=ten", "", 400, "1 to 1000"},
        BadCall{"next", "GET", "/v1/streams/yard/fragments?next=abc", "", 400, "token"},
        BadCall{"next_huge", "GET", "/v1/streams/yard/fragments?next=99999999999999999999-1", "", 400,
                "token"},
        BadCall{"after", "GET", "/v1/streams/yard/fragments?after=1x", "", 400, "'after'"},
        BadCall{"last_and_more", "GET", "/v1/streams/yard/fragments?last=1&limit=2", "", 400, "'last'"},
        BadCall{"export_no_start", "GET", "/v1/streams/yard/export", "", 400, "'start' is required"},
        BadCall{"export_format", "GET", "/v1/streams/yard/export?start=1&format=avi", "", 400, "mp4 or mkv"},
        BadCall{"export_unknown", "GET", "/v1/streams/nope/export?start=1&end=2", "", 404, "'nope'"},
        BadCall{"export_nothing", "GET", "/v1/streams/yard/export?start=1&end=2", "", 404, "no footage"},
        BadCall{"hls_unknown_stream", "GET", "/hls/nope/index.m3u8", "", 404, "'nope'"},
        BadCall{"hls_unknown_resource", "GET", "/hls/yard/what.m3u8", "", 404, "index.m3u8"},
        BadCall{"footage_without_start", "DELETE", "/v1/streams/yard/footage?end=2026-11-21T10:00:00Z", "",
                400, "both needed"},
        BadCall{"footage_without_times", "DELETE", "/v1/streams/yard/footage", "", 400, "both needed"},
        BadCall{"footage_backwards", "DELETE", "/v1/streams/yard/footage?start=20&end=10", "", 400, "after"},
        BadCall{"footage_clock", "DELETE", "/v1/streams/yard/footage?start=10&end=20&clock=wall", "", 400,
                "'producer' or 'server'"},
        BadCall{"footage_unknown_query", "DELETE", "/v1/streams/yard/footage?start=10&end=20&by=x", "", 400,
                "by"},
        BadCall{"footage_no_stream", "DELETE", "/v1/streams/none/footage?start=10&end=20", "", 404, "none"},
        BadCall{"hold_without_start", "PUT", "/v1/streams/yard/holds/h", "{}", 400, "'start' is needed"},
        BadCall{"hold_bad_time", "PUT", "/v1/streams/yard/holds/h", R"({"start":"soon"})", 400, "'start'"},
        BadCall{"hold_empty", "PUT", "/v1/streams/yard/holds/h",
                R"({"start":"2026-11-21T10:00:02Z","end":"2026-11-21T10:00:02Z"})", 400, "after its start"},
        BadCall{"hold_bad_id", "PUT", "/v1/streams/yard/holds/a%20b", R"({"start":"2026-11-21T10:00:02Z"})",
                400, "id of a hold"},
        BadCall{"hold_unknown_member", "PUT", "/v1/streams/yard/holds/h",
                R"({"start":"2026-11-21T10:00:02Z","why":"x"})", 400, "why"},
        BadCall{"hold_no_stream", "PUT", "/v1/streams/none/holds/h", R"({"start":"2026-11-21T10:00:02Z"})",
                404, "none"},
        BadCall{"hold_none", "DELETE", "/v1/streams/yard/holds/h", "", 404, "'h'"},
        BadCall{"hls_bad_number", "GET", "/hls/yard/123.m4s", "", 404, "index.m3u8"},
        BadCall{"hls_lone_end", "GET", "/hls/yard/index.m3u8?end=5", "", 400, "'start'"},
        BadCall{"hls_empty_range", "GET", "/hls/yard/media.m3u8?start=1&end=2", "", 404, "no footage"},
        BadCall{"hls_put", "PUT", "/hls/yard/index.m3u8", "", 405, "GET"},
        BadCall{"unknown_v1", "GET", "/v1/what", "", 404, "docs/http-api.md"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace millrace::api
