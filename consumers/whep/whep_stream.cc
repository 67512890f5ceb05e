#include "consumers/whep/whep_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "consumers/whep/whep_viewer.h"
#include "media/h264.h"

namespace millrace {
namespace {

constexpr std::size_t kFramesARead = 256;
constexpr auto kLookEvery = std::chrono::milliseconds(500);
// RTP time 0 lies so long before the first frame, so that none is before it.
constexpr Duration kBeforeFirst = std::chrono::hours(1);

std::string Hls(const std::string& stream) { return "watch it by HLS: /hls/" + stream + "/index.m3u8"; }

Error HasBFrames(const std::string& stream) {
  return {ErrorCode::kUnsupported,
          "the stream has B-frames, which WebRTC players show out of order: " + Hls(stream)};
}

// "42e01f", of the configuration's SPS.
std::string ProfileLevelId(const TrackInfo& track) {
  const auto config = ParseAvcConfig(track.codec_private);
  if (!config) return "";
  std::string text;
  for (const unsigned byte : {config->profile_idc, config->constraints, config->level_idc}) {
    text += "0123456789abcdef"[byte >> 4 & 15];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// Whether pictures come in another order than they are shown in.
bool IsReordered(const LiveFragment& fragment) {
  std::optional<Timestamp> last;
  for (const Frame& frame : fragment.frames) {
    const bool video = std::any_of(fragment.tracks.begin(), fragment.tracks.end(), [&](const TrackInfo& t) {
      return t.number == frame.track && t.kind() == TrackKind::kVideo;
    });
    if (!video) continue;
    if (last && frame.pts < *last) return true;
    last = frame.pts;
  }
  return false;
}

}  // namespace

Result<SdpAcceptance> ViewerAcceptance(const LiveFeed& feed, const std::string& stream) {
  const std::vector<LiveFragment> fragments = feed.Fragments();
  if (fragments.empty() || !feed.live()) {
    return Error{ErrorCode::kFailedPrecondition, "nothing is recorded into the stream '" + stream +
                                                     "' now; what was is at /hls/" + stream + "/index.m3u8"};
  }
  const bool reordered = std::any_of(fragments.begin(), fragments.end(), &IsReordered);
  return ViewerAcceptance(fragments.back().tracks, reordered, stream);
}

Result<SdpAcceptance> ViewerAcceptance(const std::vector<TrackInfo>& tracks, bool reordered,
                                       const std::string& stream) {
  SdpAcceptance acceptance{.receive = false, .video = {}, .audio = {}};
  std::string others;
  for (const TrackInfo& track : tracks) {
    const bool video = track.kind() == TrackKind::kVideo;
    constexpr std::array kCarried = {Codec::kH264, Codec::kVp8,     Codec::kVp9,     Codec::kOpus,
                                     Codec::kAac,  Codec::kPcmAlaw, Codec::kPcmMulaw};
    if (std::find(kCarried.begin(), kCarried.end(), track.codec) == kCarried.end()) {
      if (video) {
        return Error{ErrorCode::kUnsupported, "browsers' WebRTC does not play " +
                                                  std::string(ToString(track.codec)) + ": " + Hls(stream)};
      }
      continue;
    }
    auto& wanted = video ? acceptance.video : acceptance.audio;
    if (!wanted.empty()) continue;
    wanted.push_back({WatchedCodec(track), track.codec == Codec::kH264 ? ProfileLevelId(track) : ""});
  }
  if (reordered) return HasBFrames(stream);
  return acceptance;
}

WhepStream::WhepStream(std::shared_ptr<LiveFeed> feed, FragmentsCome come, std::string name,
                       std::function<bool()> is_current)
    : feed_(std::move(feed)),
      come_(come),
      name_(std::move(name)),
      is_current_(std::move(is_current)),
      thread_([this] { Work(); }) {}

WhepStream::~WhepStream() {
  {
    const std::lock_guard lock(wake_mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void WhepStream::Add(WhepViewer* viewer) {
  const std::lock_guard lock(mutex_);
  viewers_.push_back(viewer);
}

void WhepStream::Remove(WhepViewer* viewer) {
  const std::lock_guard lock(mutex_);
  std::erase(viewers_, viewer);
}

void WhepStream::Work() {
  const auto subscription = feed_->Subscribe([this] {
    const std::lock_guard lock(wake_mutex_);
    changed_ = true;
    wake_.notify_all();
  });
  looked_ = std::chrono::steady_clock::now();
  for (;;) {
    Look();
    {
      std::unique_lock lock(wake_mutex_);
      if (!changed_) wake_.wait_for(lock, kLookEvery, [this] { return changed_ || stopping_; });
      if (stopping_) break;
      changed_ = false;
    }
    Fill();
    while (!pending_.empty()) {
      const Pending next = std::move(pending_.front());
      pending_.pop_front();
      pending_bytes_ -= next.item.frame.data.size();
      // What refers to what is gone is not to be shown.
      if (next.after_gap) {
        decodable_ = false;
        pacer_.Reset();
      }
      if (!Take(next)) return;
      if (pending_.empty() || pending_bytes_ > kPendingBytesMax / 2) Fill();
    }
  }
}

void WhepStream::Fill() {
  while (pending_bytes_ < kPendingBytesMax) {
    LiveRead read = feed_->Read(position_, kFramesARead);
    position_ = read.next;
    if (read.frames.empty()) return;
    for (LiveRead::Item& item : read.frames) {
      Pending next{std::move(item), read.skipped, {}};
      if (read_run_ != next.item.run) {
        auto fragment = feed_->Find(next.item.number);
        if (!fragment) continue;  // its tracks are not known any more
        read_run_ = next.item.run;
        next.tracks = std::move(fragment->tracks);
      }
      read.skipped = false;
      pending_bytes_ += next.item.frame.data.size();
      pending_.push_back(std::move(next));
    }
  }
}

void WhepStream::Look() {
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < kLookEvery) return;
  looked_ = now;
  if (!is_current_()) Fail({ErrorCode::kNotFound, "the stream '" + name_ + "' was deleted"});
  if (failure_) EndAll(*failure_);  // who was added meanwhile
}

bool WhepStream::WaitUntil(std::chrono::steady_clock::time_point due) {
  for (;;) {
    Look();
    const auto now = std::chrono::steady_clock::now();
    std::unique_lock lock(wake_mutex_);
    if (stopping_) return false;
    if (now >= due) return true;
    wake_.wait_until(lock, std::min(due, now + kLookEvery), [this] { return changed_ || stopping_; });
    const bool changed = std::exchange(changed_, false);
    lock.unlock();
    if (changed) Fill();
  }
}

bool WhepStream::Take(const Pending& pending) {
  const LiveRead::Item& item = pending.item;
  if (pending.tracks) StartRun(*pending.tracks);
  const auto track = std::find_if(tracks_.begin(), tracks_.end(),
                                  [&](const Track& each) { return each.info.number == item.frame.track; });
  if (track == tracks_.end() || track->payloader == nullptr) return true;
  const bool video = track->info.kind() == TrackKind::kVideo;
  if (video && track->last && item.frame.pts < *track->last) {
    EndAll(HasBFrames(name_));
    return true;
  }
  if (come_ == FragmentsCome::kWhole) {
    const bool leads = video || !HasPictures();
    if (!WaitUntil(pacer_.Place(item.frame.pts, leads, std::chrono::steady_clock::now()))) return false;
  }
  track->last = item.frame.pts;
  if (!epoch_ || item.frame.pts < *epoch_) epoch_ = item.frame.pts - kBeforeFirst;
  auto made = track->payloader->Payload(item.frame, item.frame.pts - *epoch_);
  if (!made) {
    track->payloader.reset();
    // Pictures go on without their sound.
    if (video || !HasPictures()) Fail(made.error());
    return true;
  }
  if (*made) Distribute(std::move(*made));
  return true;
}

void WhepStream::StartRun(const std::vector<TrackInfo>& infos) {
  std::vector<Track> tracks;
  bool has_video = false;
  bool has_audio = false;
  std::optional<Error> no_pictures;
  for (const TrackInfo& info : infos) {
    bool& has = info.kind() == TrackKind::kVideo ? has_video : has_audio;
    if (std::exchange(has, true)) continue;
    auto payloader = RtpPayloader::Make(info);
    Track& track = tracks.emplace_back(Track{info, nullptr, {}});
    if (payloader) {
      track.payloader = std::move(*payloader);
    } else if (info.kind() == TrackKind::kVideo) {
      no_pictures = std::move(payloader).error();
    }
  }
  // Viewers have agreed on codecs: with others they must ask again.
  const bool other = std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& before) {
    return std::any_of(tracks.begin(), tracks.end(), [&](const Track& now) {
      return now.info.kind() == before.info.kind() && WatchedCodec(now.info) != WatchedCodec(before.info);
    });
  });
  tracks_ = std::move(tracks);
  pacer_.Reset();
  since_key_frame_.clear();
  since_key_frame_bytes_ = 0;
  decodable_ = false;
  if (other) EndAll({ErrorCode::kCancelled, "the stream goes on with another codec"});
  if (no_pictures) Fail(std::move(*no_pictures));
}

bool WhepStream::HasPictures() const {
  return std::any_of(tracks_.begin(), tracks_.end(), [](const Track& track) {
    return track.info.kind() == TrackKind::kVideo && track.payloader != nullptr;
  });
}

void WhepStream::Distribute(std::shared_ptr<const RtpFrame> frame) {
  if (frame->kind == TrackKind::kVideo ? frame->key_frame : !HasPictures()) {
    since_key_frame_.clear();
    since_key_frame_bytes_ = 0;
    decodable_ = true;
  }
  if (!decodable_) return;
  since_key_frame_bytes_ += frame->bytes;
  if (since_key_frame_bytes_ <= kSinceKeyFrameBytesMax) {
    since_key_frame_.push_back(frame);
  } else {
    since_key_frame_.clear();  // who comes now begins at the next key frame
  }
  const std::lock_guard lock(mutex_);
  for (WhepViewer* viewer : viewers_) viewer->Send(frame, since_key_frame_);
}

void WhepStream::Fail(Error error) {
  failed_ = true;
  if (!failure_) failure_ = std::move(error);
  EndAll(*failure_);
}

void WhepStream::EndAll(const Error& error) {
  const std::lock_guard lock(mutex_);
  for (WhepViewer* viewer : viewers_) viewer->End(error);
}

}  // namespace millrace
