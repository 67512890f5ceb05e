#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>

#include "api/access/access_control.h"
#include "api/aws/byte_budget.h"
#include "api/aws/token_key.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/on_demand_scaling.h"
#include "api/data_streams/services.h"
#include "api/http/dispatcher.h"
#include "api/http/self_signed.h"
#include "api/http/server.h"
#include "api/http/tls_context.h"
#include "api/signaling/services.h"
#include "api/v1/application_service.h"
#include "api/v1/edge_address.h"
#include "api/v1/face_collections.h"
#include "api/v1/services.h"
#include "api/video_streams/footage_services.h"
#include "api/video_streams/playback_services.h"
#include "api/video_streams/services.h"
#include "api/web_routes.h"
#include "api/webrtc/services.h"
#include "base/log.h"
#include "consumers/hls/hls_service.h"
#include "consumers/playback/playback_service.h"
#include "consumers/whep/whep_service.h"
#include "fragments/coverage_ledger.h"
#include "fragments/fragment_store.h"
#include "ingest/camera_fleet.h"
#include "ingest/edge_cameras.h"
#include "ingest/put_streams.h"
#include "ingest/recorder_sink.h"
#include "server/analyzers.h"
#include "server/camera_records.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/credentials_file.h"
#include "server/encryption.h"
#include "server/exit_codes.h"
#include "server/open_files.h"
#include "server/secret_box.h"
#include "server/secret_records.h"
#include "server/stop_signals.h"
#include "server/version.h"
#include "server/webhooks.h"
#include "storage/embedded_log.h"

namespace millrace::server {
namespace {

// What large requests and answers may take in memory together, and what fragments on their way to slow
// readers may.
constexpr std::uint64_t kRequestBytesMax = std::uint64_t{512} * 1024 * 1024;
constexpr std::uint64_t kMediaBytesMax = std::uint64_t{512} * 1024 * 1024;
// Readers of media at a time: they must leave connections to everybody else.
constexpr std::uint64_t kMediaReadersMax = 256;
// Pictures that wait to be decoded, beside those that are: some seconds' worth.
constexpr std::size_t kDecodesWaitingMax = 32;
// Of producers that put media: what they may hold in memory together, and how many there may be.
constexpr std::uint64_t kPutBytesMax = std::uint64_t{512} * 1024 * 1024;
constexpr std::uint64_t kProducersMax = 256;
constexpr std::uint64_t kSignalingClientsMax = 1024;

// File, then environment, then command line: the later wins.
Result<Config> GatherConfig(const ServeOptions& options) {
  Config config;
  if (options.config) {
    MILLRACE_ASSIGN_OR_RETURN(config, LoadConfig(*options.config));
  }
  if (options.data_dir) config.data_dir = *options.data_dir;
  if (config.data_dir.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(config.data_dir, DefaultDataDirectory());
  }
  if (options.listen) {
    MILLRACE_ASSIGN_OR_RETURN(config.listen, ListenAddress::Parse(*options.listen));
  }
  // One grammar for both places: the command line's words go through the file's reader.
  for (const auto& [name, value] :
       {std::pair{"level", options.log_level}, std::pair{"format", options.log_format}}) {
    if (!value) continue;
    std::string option = std::string("--log-") + name;
    MILLRACE_ASSIGN_OR_RETURN(Config parsed,
                              ParseConfig(std::string("log: {") + name + ": " + *value + "}", option));
    if (std::string_view(name) == "level") config.log_level = parsed.log_level;
    if (std::string_view(name) == "format") config.log_format = parsed.log_format;
  }
  for (const ListenAddress& listen : {config.listen, config.tls.value_or(TlsConfig{}).listen}) {
    if (listen.IsLoopback() || !config.auth_file.empty()) continue;
    return Error{
        ErrorCode::kInvalidArgument,
        "will not listen on " + listen.host +
            ": no credentials are configured, so anybody who can reach this address could watch and delete. "
            "Make users with `millrace user add` and name their file as auth.file; or listen on 127.0.0.1 or "
            "[::1], and reach it from elsewhere through ssh -L"};
  }
  return config;
}

// The certificate that was configured, or one of the server's own, which it also renews.
Result<std::unique_ptr<api::TlsContext>> OpenTls(const TlsConfig& config,
                                                 const std::filesystem::path& data_dir) {
  if (!config.certificate.empty()) return api::TlsContext::Open({config.certificate, config.key});
  const api::TlsFiles files{data_dir / "tls-certificate.pem", data_dir / "tls-key.pem"};
  auto ensure = [files, names = api::LocalNames({config.listen.host})] {
    return api::EnsureSelfSigned(files, names, SystemClock());
  };
  MILLRACE_RETURN_IF_ERROR(ensure());
  return api::TlsContext::Open(files, [ensure] {
    if (auto renewed = ensure(); !renewed) {
      Log(LogLevel::kError, "cannot renew the TLS certificate", {{"error", renewed.error().message}});
    }
  });
}

std::filesystem::path ConsoleDirectory(const Config& config) {
  if (config.console_dir) return *config.console_dir;
  std::error_code ec;
  std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path();
  for (const auto& directory : {beside / "console/dist", beside / "../share/millrace/console",
                                std::filesystem::path(kConsoleDirectory)}) {
    if (std::filesystem::is_regular_file(directory / "index.html", ec)) return directory;
  }
  return kConsoleDirectory;
}

Result<std::unique_ptr<storage::EmbeddedLog>> OpenLog(const Config& config) {
  // Parents are made for whoever starts it the first time; footage is nobody else's business, hence the mode.
  std::error_code ec;
  std::filesystem::create_directories(config.data_dir.parent_path(), ec);
  if (::mkdir(config.data_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{ErrorCode::kIo, "cannot make the data directory " + config.data_dir.string() + ": " +
                                     std::error_code(errno, std::generic_category()).message()};
  }
  storage::EmbeddedLogOptions options;
  options.path = config.data_dir.string();
  options.queue_bytes_max = config.storage_queue_bytes_max;
  options.segment_bytes = config.storage_segment_bytes;
  options.reserve_bytes = config.storage_reserve_bytes;
  options.budget.free_percent_min = config.storage_free_percent_min;
  options.budget.free_bytes_min = config.storage_free_bytes_min;
  if (config.storage_used_bytes_max != 0) options.budget.used_bytes_max = config.storage_used_bytes_max;
  options.reopen_after = std::chrono::seconds(1);
  options.index_cache_bytes = config.storage_cache_bytes;
  MILLRACE_ASSIGN_OR_RETURN(options.master_keys, LoadMasterKeys(config.encryption));
  options.data_key_age_max = config.encryption.data_key_age_max;
  options.encrypt_new_stream = [encryption = config.encryption](const std::string& stream) {
    return IsEncryptedFromBeginning(encryption, stream);
  };
  return storage::EmbeddedLog::Open(options);
}

// Everything that serves, in the order of its dependencies; taken down in the opposite one.
class Service {
 public:
  Result<void> Start(const Config& config) {
    MILLRACE_ASSIGN_OR_RETURN(log_, OpenLog(config));
    MILLRACE_RETURN_IF_ERROR(SettleEncryption(config.encryption, *log_));
    FragmentStore::Options store_options;
    store_options.shards = config.storage_shards;
    store_options.live_bytes_max = config.camera_memory_bytes / 8 * 7;
    store_options.held_bytes_max = config.storage_hold_bytes_max;
    MILLRACE_ASSIGN_OR_RETURN(store_, FragmentStore::Open(*log_, store_options));
    MILLRACE_ASSIGN_OR_RETURN(ledger_, CoverageLedger::Open(*log_, *store_, {}));
    put_streams_ = std::make_unique<PutStreams>(
        *store_, PutStreamsOptions{.gaps = ledger_.get(), .add_gap = ledger_->Adder()});
    MILLRACE_ASSIGN_OR_RETURN(const SecretBox box, SecretBox::Open(config.data_dir / "secrets.key"));
    cameras_ = std::make_unique<CameraRecords>(*log_, box);
    secrets_ = std::make_unique<SecretRecords>(*log_, box, SystemClock());

    RecorderOptions recording;
    recording.fragment_duration_min = config.fragment_duration_min;
    recording.fragment_duration_max = config.fragment_duration_max;
    recording.memory_bytes_max = config.camera_memory_bytes;
    recording.refused = [add = ledger_->Adder()](const VideoStream& stream, Timestamp start, Timestamp end,
                                                 const Error& error) {
      add(stream.name,
          {.start = start, .end = end, .cause = GapCause::kDiskRefused, .detail = error.message});
    };
    FleetOptions fleet_options;
    fleet_options.gaps = ledger_.get();
    fleet_options.dials_max = config.cameras_dials_max;
    fleet_options.source_bytes_max = config.camera_memory_bytes / 8;
    fleet_options.silence_timeout = config.cameras_silence_timeout;
    fleet_options.backoff = {.base = config.cameras_retry_min, .max = config.cameras_retry_max};
    MILLRACE_ASSIGN_OR_RETURN(
        fleet_, CameraFleet::Start(*cameras_, MakeRecorderSinks(*store_, recording), fleet_options));
    auto address = [this](const std::string& arn) { return api::AddressInSecret(*secrets_, arn); };
    edge_ = std::make_unique<EdgeCameras>(EdgeCameras::Options{*store_, *fleet_, std::move(address)});

    HlsOptions hls_options;
    hls_options.target_duration = std::chrono::ceil<std::chrono::seconds>(config.fragment_duration_max);
    hls_options.segment_cache_bytes = config.hls_cache_bytes;
    hls_ = std::make_unique<HlsService>(*store_, hls_options);
    playback_ = std::make_unique<PlaybackService>(*store_, hls_->segments());

    MILLRACE_ASSIGN_OR_RETURN(const wire::TokenSealer sealer, api::OpenTokenSealer(*log_));
    sealer_ = std::make_unique<wire::TokenSealer>(sealer);
    MILLRACE_ASSIGN_OR_RETURN(catalog_, api::DataStreamCatalog::Open(*log_, store_options.data_stream));

    pool_ = std::make_unique<api::WorkerPool>(config.http_worker_threads, config.http_connections_max);
    export_pool_ = std::make_unique<api::WorkerPool>(config.http_exports_max, 0);
    decode_pool_ = std::make_unique<api::WorkerPool>(config.http_decoders, kDecodesWaitingMax);
    // One photograph is looked at at a time: more threads would only wait for it.
    photograph_pool_ = std::make_unique<api::WorkerPool>(1, kDecodesWaitingMax);
    leases_ = std::make_unique<api::ApplicationLeases>(*log_, SystemClock());
    StartWebrtc(config, recording);
    AddRoutes(config);
    MILLRACE_RETURN_IF_ERROR(StartAccessControl(config));
    dispatcher_ = std::make_unique<api::Dispatcher>(router_, *access_);
    api::ServerOptions options;
    options.address = config.listen.host;
    options.port = config.listen.port;
    options.threads = config.http_threads;
    options.connections_max = config.http_connections_max;
    options.limits.idle_timeout = config.http_idle_timeout;
    options.limits.streams_max = config.http_streams_max;
    if (config.tls) {
      MILLRACE_ASSIGN_OR_RETURN(tls_, OpenTls(*config.tls, config.data_dir));
      options.tls = api::TlsListener{config.tls->listen.host, config.tls->listen.port, tls_.get()};
    }
    MILLRACE_ASSIGN_OR_RETURN(server_, api::Server::Start(*dispatcher_, options));
    std::string endpoint = config.listen.Url(server_->port());
    endpoint.pop_back();  // the slash
    api::CredentialStore* const credentials = access_->checks() ? &credentials_ : nullptr;
    MILLRACE_RETURN_IF_ERROR(
        analyzers_.Start(config.analyzers, endpoint, *fleet_, *leases_, *log_, credentials));
    return webhooks_.Start(config.webhooks, endpoint, SystemClock(), credentials);
  }

  std::uint16_t port() const { return server_->port(); }
  std::uint16_t tls_port() const { return server_->tls_port(); }

  // Recording goes on until the last moment: no more requests, then no more frames; open fragments are closed
  // and stored.
  void Stop(Duration grace) {
    webhooks_.RequestStop();
    analyzers_.Stop();  // they need the server to commit
    // Those who record first: a request or a viewer that is slow to go must not cost them the fragments they
    // have open.
    const auto requests = std::async(std::launch::async, [&] {
      if (server_) server_->Stop(grace);
    });
    requests.wait_for(2 * grace);
    if (publishers_) publishers_->Stop();
    if (edge_) edge_->Stop();
    if (fleet_) fleet_->Stop();
    requests.wait();
    if (whep_) whep_->Stop();
    webhooks_.Stop();  // a receiver that takes its time costs nobody's footage
    Log(LogLevel::kInfo, "cameras are stopped");
  }

 private:
  // What WebRTC peers publish is recorded as cameras' footage is.
  void StartWebrtc(const Config& config, const RecorderOptions& recording) {
    if (!config.webrtc.enabled) return;
    webrtc_settings_ = config.webrtc.settings;
    webrtc_settings_.loopback = config.listen.IsLoopback();
    publishers_ = std::make_unique<WebrtcSessions>(config.webrtc.publishers_max);
    whep_ = std::make_unique<WhepService>(*store_, webrtc_settings_,
                                          WhepOptions{.viewers_max = config.webrtc.viewers_max});
    api::AddWhepRoutes(router_, *whep_, *pool_);
    WebrtcPublisherOptions options;
    options.key_frame_every = config.webrtc.key_frame_every;
    options.silence_timeout = config.webrtc.silence_timeout;
    options.reception.bytes_max = config.camera_memory_bytes / 8;
    options.recorder = recording;
    options.camera_of = [this](const std::string& stream) { return fleet_->CameraOfStream(stream); };
    storage_sessions_ = std::make_unique<api::StorageSessionServices>(
        api::StorageSessionServices{*publishers_, webrtc_settings_, *put_streams_, *whep_, options});
    api::AddWhipRoutes(router_, {*store_, *put_streams_, *publishers_, webrtc_settings_, *pool_, options,
                                 [this](const std::string& stream) { return fleet_->CameraOfStream(stream); },
                                 config.webrtc.retention});
  }

  // Users from their file where there is one; the audit log.
  Result<void> StartAccessControl(const Config& config) {
    if (!config.auth_file.empty()) {
      MILLRACE_ASSIGN_OR_RETURN(credentials_file_, CredentialsFile::Open(config.auth_file, credentials_));
    }
    if (!config.audit.file.empty()) {
      MILLRACE_ASSIGN_OR_RETURN(
          audit_, api::AuditLog::Open({config.audit.file, config.audit.bytes_max, config.audit.keep}));
    }
    api::AccessControl::Options options;
    if (credentials_file_) options.credentials = &credentials_;
    options.sessions = sessions_.get();
    options.audit = audit_.get();
    options.identity = config.aws;
    access_ = std::make_unique<api::AccessControl>(options);
    return {};
  }

  void AddRoutes(const Config& config) {
    const Clock& clock = SystemClock();
    auto camera_of = [this](const std::string& stream) { return fleet_->CameraOfStream(stream); };
    api::AddCameraRoutes(router_, {*fleet_, *store_, *pool_, config.analyzers.names(), config.aws});
    api::AddStreamRoutes(router_, {*store_, *pool_, camera_of, clock, *ledger_});
    api::AddExportRoutes(router_, {*store_, *pool_, *export_pool_, clock});
    throughput_ = std::make_shared<api::StreamThroughput>(*catalog_, clock, config.stream_limits);
    api::AddDataStreamRoutes(router_,
                             {*catalog_, *sealer_, *pool_, budget_, clock, config.aws, nullptr, throughput_});
    scaling_ =
        std::make_unique<api::OnDemandScaling>(*catalog_, *throughput_, api::OnDemandScaling::Options());
    scaling_->Start();
    api::AddDataStreamOverviewRoutes(router_, {*catalog_, *sealer_, *pool_, budget_, clock});
    AddVideoRoutes(config, camera_of);
    applications_ = std::make_unique<api::ApplicationServices>(
        api::ApplicationServices{*leases_, *log_, *pool_, budget_, {catalog_->fragment_log()}, config.aws});
    for (const std::string& name : config.analyzers.names()) {
      applications_->result_streams.insert("millrace-" + name);
    }
    api::AddApplicationRoutes(router_, *applications_);
    face_collections_ = std::make_unique<api::FaceCollections>(*log_, clock);
    api::AddFaceCollectionRoutes(router_, {*face_collections_, *pool_, *photograph_pool_, budget_});
    api::AddAnalyzerRoutes(router_, *pool_, [this] { return analyzers_.statuses(); });
    api::AddWebhookRoutes(router_,
                          {[this] { return webhooks_.statuses(); },
                           [this](const std::string& webhook) { return webhooks_.Test(webhook); }, *pool_});
    api::AddHlsRoutes(router_, *hls_, *pool_);
    api::AddStorageRoutes(router_,
                          {[this] { return log_->Status(); }, [this] { return log_->Backup(); }, *pool_});
    sessions_ = std::make_unique<api::Sessions>(*sealer_, clock);
    api::AddSessionRoutes(router_, {config.auth_file.empty() ? nullptr : &credentials_, *sessions_, clock});
    api::AddHealthRoutes(router_, *pool_, [this] { return Ready(); });
    api::AddConsoleRoutes(router_, *pool_, ConsoleDirectory(config));
  }

  // The Kinesis Video Streams protocol.
  void AddVideoRoutes(const Config& config, const api::CameraOfStream& camera_of) {
    channels_ = std::make_unique<api::SignalingChannels>(*log_, SystemClock());
    const api::VideoStreamServices video{.store = *store_,
                                         .sealer = *sealer_,
                                         .pool = *pool_,
                                         .budget = budget_,
                                         .media_budget = media_budget_,
                                         .readers = media_readers_,
                                         .clock = SystemClock(),
                                         .identity = config.aws,
                                         .camera_of = camera_of,
                                         .edge = edge_.get(),
                                         .channels = channels_.get()};
    api::AddVideoStreamRoutes(router_, video);
    api::AddSecretRoutes(router_, {*secrets_, *pool_, [this] { edge_->LookAgain(); }, config.aws});
    api::AddPlaybackRoutes(router_, {video, *playback_});
    const api::FootageServices footage{video, *decode_pool_, *export_pool_};
    api::AddClipRoutes(router_, footage);
    api::AddImageRoutes(router_, footage);
    api::AddImageRoutes(router_, api::ImageServices{*store_, *decode_pool_});
    api::AddPutMediaRoutes(router_,
                           {*store_, *put_streams_, *pool_, put_memory_, producers_, config.aws, camera_of});
    const auto tls_port = [this] { return server_ ? server_->tls_port() : std::uint16_t{0}; };
    api::SignalingServices signaling{
        video, *channels_, signaling_hub_, signaling_clients_, webrtc_settings_, tls_port};
    signaling.storage = storage_sessions_.get();
    api::AddSignalingRoutes(router_, std::move(signaling));
  }

  // Whether footage can be kept: the log takes writes. It is written to every few seconds anyway, so how the
  // last of these went is known.
  Result<void> Ready() {
    const storage::StorageStatus status = log_->Status();
    if (storage::TakesWrites(status.state)) return {};
    return Error{ErrorCode::kUnavailable,
                 "storage is " + std::string(storage::ToString(status.state)) + ": " + status.message};
  }

  // Destroyed from the bottom up: the server's threads end before the pools, those before what their work
  // uses; the log commits what was put before it closes.
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<FragmentStore> store_;
  std::unique_ptr<CoverageLedger> ledger_;
  std::unique_ptr<PutStreams> put_streams_;
  std::unique_ptr<CameraRecords> cameras_;
  std::unique_ptr<SecretRecords> secrets_;
  std::unique_ptr<api::FaceCollections> face_collections_;
  std::unique_ptr<CameraFleet> fleet_;
  std::unique_ptr<EdgeCameras> edge_;
  WebrtcSettings webrtc_settings_;
  api::SignalingHub signaling_hub_;
  std::unique_ptr<WebrtcSessions> publishers_;
  std::unique_ptr<api::StorageSessionServices> storage_sessions_;
  std::unique_ptr<WhepService> whep_;
  std::unique_ptr<HlsService> hls_;
  std::unique_ptr<PlaybackService> playback_;
  std::unique_ptr<wire::TokenSealer> sealer_;
  std::unique_ptr<api::DataStreamCatalog> catalog_;
  std::shared_ptr<api::StreamThroughput> throughput_;
  std::unique_ptr<api::OnDemandScaling> scaling_;
  api::ByteBudget budget_{kRequestBytesMax};
  api::ByteBudget media_budget_{kMediaBytesMax};
  api::ByteBudget media_readers_{kMediaReadersMax};
  api::ByteBudget put_memory_{kPutBytesMax};
  api::ByteBudget producers_{kProducersMax};
  api::ByteBudget signaling_clients_{kSignalingClientsMax};
  std::unique_ptr<api::SignalingChannels> channels_;
  std::unique_ptr<api::ApplicationLeases> leases_;
  std::unique_ptr<api::ApplicationServices> applications_;
  std::unique_ptr<api::WorkerPool> pool_;
  std::unique_ptr<api::WorkerPool> export_pool_;
  std::unique_ptr<api::WorkerPool> decode_pool_;
  std::unique_ptr<api::WorkerPool> photograph_pool_;
  api::CredentialStore credentials_;
  std::unique_ptr<CredentialsFile> credentials_file_;
  std::unique_ptr<api::AuditLog> audit_;
  std::unique_ptr<api::Sessions> sessions_;
  std::unique_ptr<api::AccessControl> access_;
  api::Router router_;
  std::unique_ptr<api::Dispatcher> dispatcher_;
  std::unique_ptr<api::TlsContext> tls_;
  std::unique_ptr<api::Server> server_;
  Analyzers analyzers_;
  Webhooks webhooks_;
};

}  // namespace

int RunServe(const ServeOptions& options) {
  auto config = GatherConfig(options);
  if (!config) return Complain(config.error());
  InitLogging(config->log_level, config->log_format);
  StopSignals::Block();
  RaiseOpenFilesLimit();
  {
    Service service;
    if (auto started = service.Start(*config); !started) return Complain(started.error());
    std::string url = config->listen.Url(service.port());
    Log(LogLevel::kInfo, "millrace is ready",
        {{"version", kVersion}, {"console", url}, {"data_dir", config->data_dir.string()}});
    if (config->tls) {
      Log(LogLevel::kInfo, "TLS port", {{"url", config->tls->listen.Url(service.tls_port(), "https")}});
    }
    std::printf("Console: %s\n", url.c_str());
    std::fflush(stdout);
    int signal = StopSignals::Wait();
    Log(LogLevel::kInfo, "stopping", {{"signal", signal}});
    StopSignals::ExitAfter(config->stop_timeout);
    service.Stop(config->stop_timeout / 4);
  }
  Log(LogLevel::kInfo, "stopped");
  return kExitOk;
}

}  // namespace millrace::server
