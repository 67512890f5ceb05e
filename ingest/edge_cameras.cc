#include "ingest/edge_cameras.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "ingest/quartz_cron.h"

namespace millrace {
namespace {

constexpr std::size_t kPage = 256;

Error InUse(const std::string& stream, const std::string& camera) {
  return {ErrorCode::kAlreadyExists, "stream '" + stream +
                                         "' cannot have its edge configuration's camera: camera '" + camera +
                                         "' is in the way, which was not made by one; remove it first"};
}

}  // namespace

Result<EdgeMoment> AtMoment(const EdgeSchedule& schedule, Timestamp now) {
  MILLRACE_ASSIGN_OR_RETURN(const QuartzCron cron, QuartzCron::Parse(schedule.expression));
  const Duration lasts = std::chrono::seconds(schedule.duration_s);
  // The oldest time that may still last; when it has, the next one is looked at.
  const auto first = cron.Next(now - lasts);
  EdgeMoment moment;
  moment.on = first && *first <= now;
  if (first) moment.due = moment.on ? *first + lasts : *first;
  return moment;
}

EdgeCameras::EdgeCameras(Options options) : options_(std::move(options)), thread_([this] { Run(); }) {}

EdgeCameras::~EdgeCameras() { Stop(); }

void EdgeCameras::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EdgeCameras::LookAgain() {
  {
    const std::lock_guard lock(mutex_);
    look_ = true;
  }
  wake_.notify_all();
}

void EdgeCameras::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    look_ = false;
    lock.unlock();
    const Timestamp due = ApplyAll();
    lock.lock();
    // Not for less than a second, whatever the clock says: it may be one that somebody sets.
    const Duration pause = std::clamp<Duration>(
        due - options_.clock->Now(), std::min<Duration>(std::chrono::seconds(1), options_.look_every),
        options_.look_every);
    wake_.wait_for(lock, pause, [this] { return look_ || stopped_; });
  }
}

Timestamp EdgeCameras::ApplyAll() {
  std::set<std::string> streams;
  for (const CameraStatus& camera : options_.fleet.List()) {
    if (camera.settings.edge) streams.insert(camera.settings.name);
  }
  StreamQuery query;
  query.limit = kPage;
  for (;;) {
    const auto page = options_.store.FindStreams(query);
    for (const StreamDescriptionPtr& stream : page) {
      if (stream->settings.edge) streams.insert(stream->name);
    }
    if (page.size() < kPage) break;
    query.after = page.back()->name;
  }
  Timestamp due = options_.clock->Now() + options_.look_every;
  for (const std::string& stream : streams) {
    const std::lock_guard applying(applying_);
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return due;
    }
    if (const auto next = ApplyOne(stream)) due = std::min(due, *next);
  }
  return due;
}

Result<void> EdgeCameras::Apply(const std::string& stream) {
  {
    const std::lock_guard applying(applying_);
    MILLRACE_RETURN_IF_ERROR(ApplyOne(stream));
  }
  LookAgain();  // its schedule may be the next that is due
  return {};
}

Result<Timestamp> EdgeCameras::ApplyOne(const std::string& stream) {
  const Timestamp now = options_.clock->Now();
  Timestamp due = now + options_.look_every;
  const auto applied = [&]() -> Result<void> {
    const auto description = options_.store.DescribeStream(stream);
    if (!description && description.error().code != ErrorCode::kNotFound) return description.error();
    if (!description || !(*description)->settings.edge) return RemoveOwn(stream);
    auto made = WantedOf(**description, now, due);
    // Whoever takes the secret away takes the camera's login away.
    if (!made && made.error().code == ErrorCode::kNotFound) MILLRACE_RETURN_IF_ERROR(RemoveOwn(stream));
    MILLRACE_ASSIGN_OR_RETURN(Wanted wanted, std::move(made));
    const auto feeding = options_.fleet.CameraOfStream(stream);
    if (feeding && *feeding != stream) return InUse(stream, *feeding);
    if (const auto there = options_.fleet.Get(stream)) {
      if (!there->settings.edge) return InUse(stream, stream);
      wanted.settings.retention = there->settings.retention;  // the stream's own counts
    }
    MILLRACE_RETURN_IF_ERROR(options_.fleet.Put(std::move(wanted.settings), std::move(wanted.credentials)));
    return {};
  }();
  const std::lock_guard lock(mutex_);
  const auto before = failures_.find(stream);
  if (applied) {
    if (before != failures_.end()) failures_.erase(before);
    return due;
  }
  if (before == failures_.end() || before->second.message != applied.error().message) {
    Log(LogLevel::kWarning, "an edge configuration cannot be followed",
        {{"stream", stream}, {"error", applied.error().message}});
  }
  failures_.insert_or_assign(stream, applied.error());
  return applied.error();
}

Result<EdgeCameras::Wanted> EdgeCameras::WantedOf(const StreamDescription& stream, Timestamp now,
                                                  Timestamp& due) {
  const EdgeConfiguration& edge = *stream.settings.edge;
  Wanted wanted;
  MILLRACE_ASSIGN_OR_RETURN(CameraAddress address, options_.address(edge.media_uri_secret_arn));
  wanted.credentials = std::move(address.credentials);
  CameraSettings& settings = wanted.settings;
  settings.name = stream.name;
  settings.stream = stream.name;
  settings.url = std::move(address.url);
  settings.retention = stream.settings.retention;
  settings.labels[kEdgeLabel] = edge.hub_device_arn;
  settings.edge = true;
  if (edge.recorder_schedule) {
    MILLRACE_ASSIGN_OR_RETURN(const EdgeMoment moment, AtMoment(*edge.recorder_schedule, now));
    settings.enabled = moment.on;
    if (moment.due) due = std::min(due, *moment.due);
  }
  return wanted;
}

Result<void> EdgeCameras::RemoveOwn(const std::string& stream) {
  const auto camera = options_.fleet.Get(stream);
  if (!camera || !camera->settings.edge) return {};
  const auto removed = options_.fleet.Remove(stream);
  if (removed || removed.error().code == ErrorCode::kNotFound) return {};
  return removed;
}

Result<void> EdgeCameras::Check(const EdgeConfiguration& edge) {
  if (edge.from_file) {
    return Error{
        ErrorCode::kInvalidArgument,
        "FILE_URI is not supported: this server reads cameras over RTSP; files are put with PutMedia"};
  }
  const Timestamp now = options_.clock->Now();
  for (const auto& [what, schedule] : {std::pair("RecorderConfig", &edge.recorder_schedule),
                                       std::pair("UploaderConfig", &edge.uploader_schedule)}) {
    if (!*schedule) continue;
    const auto moment = AtMoment(**schedule, now);
    const std::string where = std::string(what) + ".ScheduleConfig.ScheduleExpression";
    if (!moment) return WithContext(moment.error(), where);
    if (!moment->due) return Error{ErrorCode::kInvalidArgument, where + ": its time never comes again"};
  }
  const auto address = options_.address(edge.media_uri_secret_arn);
  if (address) return {};
  return Error{ErrorCode::kInvalidArgument, "MediaUriSecretArn: " + address.error().message};
}

EdgeStatus EdgeCameras::Status(const std::string& stream) {
  EdgeStatus status;
  if (auto camera = options_.fleet.Get(stream); camera && camera->settings.edge)
    status.camera = std::move(*camera);
  const std::lock_guard lock(mutex_);
  if (const auto failure = failures_.find(stream); failure != failures_.end())
    status.failure = failure->second;
  return status;
}

}  // namespace millrace
