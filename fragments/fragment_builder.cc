#include "fragments/fragment_builder.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "fragments/audio_grid.h"
#include "fragments/mkv_writer.h"
#include "fragments/open_fragment.h"
#include "fragments/video_times.h"
#include "media/audio_samples.h"
#include "media/bitstream.h"
#include "media/h264.h"
#include "media/h265.h"

namespace millrace {
namespace {

constexpr Timestamp kPtsMax = Timestamp::FromSeconds(7'258'118'400);  // 2200-01-01: no clock is that wrong
constexpr std::int64_t kFrameMsAssumed = 40;
constexpr std::size_t kAudioFrameBytesMax = 128 * 1024;  // many times what a codec makes
constexpr std::size_t kHeldFramesMax = 4096;             // audio that waits for video
constexpr std::size_t kHeldBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kEarlyFramesMax = 256;  // audio that came before the first key frame
constexpr std::int64_t kSpanMaxMs = 30'000;   // of a fragment, below what a block's time reaches
// A step forward is a hole when it is this long, and so many times as long as steps usually are: some cameras
// send a picture every few seconds, on purpose.
constexpr std::int64_t kHoleMinMs = 2'000;
constexpr std::int64_t kHoleSteps = 5;

std::int64_t Millis(Duration duration) { return duration.count() / 1'000'000; }

// What the video's headers say before the first frame.
struct VideoHints {
  std::optional<std::uint32_t> depth;
  std::int64_t frame_ms = kFrameMsAssumed;
  std::size_t nal_length_bytes = 4;
};

VideoHints HintsOf(const TrackInfo& track) {
  VideoHints hints;
  hints.depth = ReorderDepthByHeaders(track);
  hints.nal_length_bytes = NalLengthBytes(track);
  if (track.codec != Codec::kH264) return hints;
  const auto config = ParseAvcConfig(track.codec_private);
  if (!config) return hints;
  const auto sps = ParseH264Sps(config->sps.front());
  if (sps && sps->frame_rate_numerator > 0) {
    hints.frame_ms = static_cast<std::int64_t>(
        (1000ull * sps->frame_rate_denominator + sps->frame_rate_numerator / 2) / sps->frame_rate_numerator);
  }
  return hints;
}

Result<void> CheckTracks(const std::vector<TrackInfo>& tracks) {
  if (tracks.empty() || tracks.size() > FragmentBuilder::kTracksMax) {
    return Error{ErrorCode::kInvalidArgument, std::to_string(tracks.size()) + " tracks; 1 to " +
                                                  std::to_string(FragmentBuilder::kTracksMax) +
                                                  " can be recorded"};
  }
  std::size_t private_bytes = 0;
  int videos = 0;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(CheckMkvTrack(tracks[i]));
    for (std::size_t j = 0; j < i; ++j) {
      if (tracks[j].number == tracks[i].number) {
        return Error{ErrorCode::kInvalidArgument,
                     "two tracks have the number " + std::to_string(tracks[i].number)};
      }
    }
    private_bytes += tracks[i].codec_private.size();
    if (tracks[i].kind() == TrackKind::kVideo) ++videos;
  }
  if (videos > 1) {
    return Error{ErrorCode::kUnsupported, "more than one video track in a stream cannot be recorded"};
  }
  if (private_bytes > FragmentBuilder::kCodecPrivateBytesMax) {
    return Error{ErrorCode::kInvalidArgument, "the tracks' codec data is too long"};
  }
  return {};
}

}  // namespace

// One run, from StartRun to EndRun; it renews itself (a new run number, new time bases) where a jump of the
// source's clock asks for that.
class FragmentBuilder::Run {
 public:
  Run(FragmentSink& sink, const BuilderLimits& limits, BuilderCounters& counters,
      std::vector<TrackInfo> tracks, ClockSource clock)
      : sink_(sink),
        limits_(limits),
        counters_(counters),
        tracks_(std::move(tracks)),
        clock_(clock),
        tracks_id_(TracksId(tracks_)),
        document_bytes_(MkvOverhead(tracks_)) {
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (tracks_[i].kind() == TrackKind::kVideo) video_track_ = i;
    }
    if (video_track_) hints_ = HintsOf(tracks_[*video_track_]);
    duration_min_ms_ = std::clamp<std::int64_t>(Millis(limits_.duration_min), 1, 20'000);
    duration_max_ms_ = std::clamp<std::int64_t>(Millis(limits_.duration_max), duration_min_ms_, 20'000);
    Renew();
  }

  bool Is(const std::vector<TrackInfo>& tracks, ClockSource clock) const {
    return clock_ == clock && tracks_ == tracks;
  }

  Result<void> Push(Frame frame) {
    const auto track = std::find_if(tracks_.begin(), tracks_.end(),
                                    [&](const TrackInfo& info) { return info.number == frame.track; });
    if (track == tracks_.end()) {
      ++counters_.frames_dropped;
      return Error{ErrorCode::kInvalidArgument, "frame of unknown track " + std::to_string(frame.track)};
    }
    if (frame.after_loss) MarkLoss(track->kind());
    const auto index = static_cast<std::size_t>(track - tracks_.begin());
    const bool video = video_track_ == index;
    const std::size_t bytes = frame.data.size();
    const bool too_large = document_bytes_ + kBlockOverheadMax + bytes > limits_.bytes_max ||
                           (!video && bytes > kAudioFrameBytesMax);
    if (bytes == 0 || too_large || frame.pts.ns < 0 || frame.pts > kPtsMax) {
      ++counters_.frames_dropped;
      // What follows refers to the lost frame.
      if (video) wait_for_key_frame_ = true;
      return {};
    }
    auto result = video ? PushVideo(std::move(frame)) : PushAudio(index, std::move(frame));
    if (result) result = Pump();
    if (!result) {
      ++counters_.frames_dropped;
      Close();
      Renew();
    }
    return result;
  }

  void MarkLoss(TrackKind kind) {
    if (current_) current_->facts().damaged = true;
    if (kind != TrackKind::kVideo) return;
    lossy_ = true;
    loss_is_new_ = true;
  }

  // Closes everything: the run is over.
  void Close() {
    if (!current_) {  // no fragment could be opened after the one that waits
      if (closing_ && !closing_end_ms_) {
        closing_end_ms_ = times_->frame_ms() +
                          (closing_->video_frames() > 0 ? closing_->video_max_ms() : closing_->opened_ms());
      }
      FinishClosing();
    } else {
      FlushPending();
      for (Held& held : held_) {
        const bool to_closing = closing_ && held.ms < ClosingEnd() && BelongsToClosing(held);
        AddAudioTo(to_closing ? *closing_ : *current_, std::move(held));
      }
      held_.clear();
      FinishClosing();
      if (video_track_) FinishCurrentVideo(times_->max_ms() + times_->frame_ms());
      current_->facts().end = FragmentEnd::kRunEnded;
      std::int64_t end_ms = current_->start_ms() + 1;
      if (current_->video_frames() > 0) {
        end_ms = times_->max_ms() + times_->frame_ms();
      } else {
        for (const AudioTrack& audio : audio_) {
          if (audio.grid && audio.seen_ms) end_ms = std::max(end_ms, RoundToMillis(audio.grid->next_time()));
        }
      }
      Emit(*current_, end_ms);
      current_.reset();
    }
    counters_.frames_dropped += held_.size() + pending_.size() + early_.size();
    held_.clear();
    held_bytes_ = 0;
    pending_.clear();
    pending_bytes_ = 0;
    early_.clear();
    early_bytes_ = 0;
  }

 private:
  struct AudioTrack {
    std::optional<AudioGrid> grid;
    std::optional<std::int64_t> seen_ms;  // the time of the newest packet
  };
  struct Held {
    std::size_t track = 0;
    Frame frame;
    std::int64_t ms = 0;
    std::uint64_t sample = 0;
    std::uint32_t samples = 0;
  };

  void Renew() {
    run_.reset();
    run_start_.reset();
    next_dts_ms_.reset();
    tail_.clear();
    zero_ms_.reset();
    first_key_ms_.reset();
    audio_.assign(tracks_.size(), AudioTrack{});
    times_.emplace(hints_.depth, hints_.frame_ms);
    usual_step_ms_ = std::max<std::int64_t>(hints_.frame_ms, 1);
    wait_for_key_frame_ = video_track_.has_value();
    audio_lost_ = false;
    sound_after_hole_.reset();
  }

  // ---- video

  Result<void> PushVideo(Frame frame) {
    const std::int64_t raw_ms = RoundToMillis(frame.pts);
    frame.key_frame = IsKeyFrame(&tracks_[*video_track_], frame.data.span(), frame.key_frame);
    if (frame.key_frame) {
      if (times_->headers_lied()) hints_.depth.reset();
      if (current_ && (audio_lost_ || times_->NeedsNewRun(raw_ms))) {
        Close();
        Renew();
      }
      wait_for_key_frame_ = false;
    }
    if (wait_for_key_frame_) {
      ++counters_.frames_dropped;
      return {};
    }
    // The next key frame ends what a loss does, unless it is the frame that the loss is part of.
    if (frame.key_frame && !loss_is_new_) lossy_ = false;
    loss_is_new_ = false;
    const bool idr = IsIdr(frame);
    // Frames that follow the run's first key frame but are shown before it refer to what is not there.
    if (open_gop_start_ && !frame.key_frame && raw_ms < *first_key_ms_ &&
        raw_ms >= *first_key_ms_ - VideoTimes::kStepBackMaxMs) {
      ++counters_.frames_dropped;
      return {};
    }
    const std::optional<std::int64_t> before_ms = current_ ? std::optional(times_->max_ms()) : std::nullopt;
    const std::int64_t frame_ms = times_->frame_ms();
    const VideoTimes::Placed placed =
        frame.key_frame ? times_->PlaceKeyFrame(raw_ms) : times_->PlaceOther(raw_ms);
    if (placed.moved) ++counters_.times_corrected;
    frame.pts = Timestamp::FromMillis(placed.ms);
    open_gop_start_ = frame.key_frame ? !current_ && !idr && times_->depth() > 0 : open_gop_start_;
    if (!first_key_ms_) first_key_ms_ = placed.ms;

    if (!current_) {
      MILLRACE_RETURN_IF_ERROR(Open(placed.ms, true));
      StartAudio(placed.ms);
      AddVideo(std::move(frame));
      return {};
    }
    const std::optional<std::int64_t> footage_end_ms = EndBeforeHole(*before_ms, placed.ms, frame_ms);
    if (frame.key_frame) return PushKeyFrame(std::move(frame), idr, footage_end_ms);
    return PushDependentFrame(std::move(frame), footage_end_ms);
  }

  // The newest time of any track.
  std::int64_t NewestMs(std::int64_t video_ms) const {
    for (const AudioTrack& audio : audio_) video_ms = std::max(video_ms, audio.seen_ms.value_or(video_ms));
    return video_ms;
  }
  bool IsHole(std::int64_t from_ms, std::int64_t to_ms) const {
    return to_ms - from_ms > std::max(kHoleMinMs, kHoleSteps * usual_step_ms_);
  }

  // Where the footage ended, if there is a hole between the newest picture before and the one at `ms`.
  std::optional<std::int64_t> EndBeforeHole(std::int64_t before_ms, std::int64_t ms, std::int64_t frame_ms) {
    if (ms <= before_ms) return std::nullopt;
    const std::optional<SoundAfterHole> sound_after = std::exchange(sound_after_hole_, std::nullopt);
    const std::int64_t newest_ms = sound_after ? sound_after->newest_before_ms : NewestMs(before_ms);
    const bool hole = IsHole(newest_ms, ms);
    // Learns from holes too, a little: those that are the rule are none.
    usual_step_ms_ += (std::min(ms - before_ms, 8 * usual_step_ms_) - usual_step_ms_ + 7) / 8;
    if (!hole) return std::nullopt;
    return std::min(newest_ms + frame_ms, ms - 1);
  }

  Result<void> PushKeyFrame(Frame frame, bool idr, std::optional<std::int64_t> footage_end_ms) {
    if (idr && pending_hole_ms_) MILLRACE_RETURN_IF_ERROR(CutAtPending());
    FlushPending();
    const std::int64_t ms = frame.pts.millis();
    if (footage_end_ms || ms - current_->opened_ms() >= duration_min_ms_ || OverLimit(frame)) {
      MILLRACE_RETURN_IF_ERROR(Cut(FragmentEnd::kKeyFrame, ms, {.by_video = true, .independent = true}));
      if (footage_end_ms) {
        KnowClosingEnd(*footage_end_ms);
      } else if (idr) {
        KnowClosingEnd(ms);
      }
    }
    AddVideo(std::move(frame));
    return {};
  }

  Result<void> PushDependentFrame(Frame frame, std::optional<std::int64_t> footage_end_ms) {
    const std::int64_t ms = frame.pts.millis();
    if (OverLimit(frame)) {  // at once, wherever that is
      if (pending_.empty()) {
        MILLRACE_RETURN_IF_ERROR(Cut(FragmentEnd::kSize, ms, {.by_video = true, .independent = false}));
      } else {
        MILLRACE_RETURN_IF_ERROR(CutAtPending());
      }
      MoveOverCut(frame);
      if (OverLimit(frame))
        return PushDependentFrame(std::move(frame), std::nullopt);  // what was pending fills it again
      AddVideo(std::move(frame));
      return {};
    }
    const bool reaches_back = current_->video_frames() > 0 && ms < current_->video_max_ms();
    if (reaches_back) {
      FlushPending();
      AddVideo(std::move(frame));
      return {};
    }
    if (pending_.empty()) {
      pending_end_ = footage_end_ms ? FragmentEnd::kDuration : WantsCut(ms);
      pending_hole_ms_ = footage_end_ms;
      if (!pending_end_) {
        AddVideo(std::move(frame));
        return {};
      }
    }
    pending_bytes_ += frame.data.size() + kBlockOverheadMax;
    pending_.push_back(std::move(frame));
    // Once `depth` frames have come that are shown later, no other can be shown earlier.
    if (pending_.size() >= times_->depth()) return CutAtPending();
    return {};
  }

  // Whether the fragment should end before a frame at `ms`, without a key frame.
  std::optional<FragmentEnd> WantsCut(std::int64_t ms) const {
    if (ms + times_->frame_ms() > current_->opened_ms() + duration_max_ms_) return FragmentEnd::kDuration;
    if (current_->bytes() > limits_.bytes_max - limits_.bytes_max / 8) return FragmentEnd::kSize;
    return std::nullopt;
  }

  bool OverLimit(const Frame& frame) const {
    return current_->bytes() + pending_bytes_ + frame.data.size() + kBlockOverheadMax > limits_.bytes_max ||
           current_->frame_count() + pending_.size() >= kFramesMax ||
           RoundToMillis(frame.pts) - current_->opened_ms() > kSpanMaxMs;
  }

  Result<void> CutAtPending() {
    const std::int64_t ms = pending_.front().pts.millis();
    MILLRACE_RETURN_IF_ERROR(
        Cut(pending_end_.value_or(FragmentEnd::kSize), ms, {.by_video = true, .independent = false}));
    if (pending_hole_ms_) KnowClosingEnd(*pending_hole_ms_);
    FlushPending();
    return {};
  }

  // A frame that would be shown before the end of the fragment that was just cut is shown after it.
  void MoveOverCut(Frame& frame) {
    const VideoTimes::Placed placed = times_->KeepAboveFloor(frame.pts.millis());
    if (placed.moved) ++counters_.times_corrected;
    frame.pts = Timestamp::FromMillis(placed.ms);
  }

  void FlushPending() {
    for (Frame& frame : std::exchange(pending_, {})) AddVideo(std::move(frame));
    pending_bytes_ = 0;
    pending_hole_ms_.reset();
  }

  void AddVideo(Frame frame) {
    counters_.frames += 1;
    counters_.bytes += frame.data.size();
    if (lossy_) current_->facts().damaged = true;
    sink_.AddFrame(current_->facts().number, frame);
    current_->AddVideo(*video_track_, std::move(frame));
    // The first frames are complete to `depth` places: their earliest is where the fragment starts.
    if (closing_ && !closing_end_ms_ && current_->video_frames() > times_->depth()) {
      KnowClosingEnd(current_->video_min_ms());
    }
  }

  // Whether nothing that follows is shown before it, for certain.
  bool IsIdr(const Frame& frame) const {
    if (!frame.key_frame) return false;
    const Codec codec = tracks_[*video_track_].codec;
    if (codec == Codec::kH264) return IsH264Idr(frame.data.span(), hints_.nal_length_bytes);
    if (codec == Codec::kH265) return IsH265WithoutLeading(frame.data.span(), hints_.nal_length_bytes);
    return true;
  }

  // ---- audio

  // Places the audio's zero, and the audio that came before the picture.
  void StartAudio(std::int64_t zero_ms) {
    zero_ms_ = zero_ms;
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (tracks_[i].kind() == TrackKind::kAudio) {
        audio_[i].grid.emplace(Timestamp::FromMillis(zero_ms), tracks_[i].sample_rate);
      }
    }
    early_bytes_ = 0;
    for (Held& held : std::exchange(early_, {})) PlaceAudio(held.track, std::move(held.frame));
  }

  Result<void> PushAudio(std::size_t track, Frame frame) {
    frame.key_frame = true;
    if (!current_) {
      if (video_track_) {
        early_bytes_ += frame.data.size();
        while (early_.size() >= kEarlyFramesMax || (!early_.empty() && early_bytes_ > HeldBytesMax())) {
          early_bytes_ -= early_.front().frame.data.size();
          early_.pop_front();
          ++counters_.frames_dropped;
        }
        early_.push_back({.track = track, .frame = std::move(frame)});
        return {};
      }
      const std::int64_t ms = RoundToMillis(frame.pts);
      MILLRACE_RETURN_IF_ERROR(Open(ms, true));
      StartAudio(ms);
    } else if (!video_track_ && audio_[track].seen_ms) {
      const std::int64_t ahead_ms = RoundToMillis(frame.pts) - *audio_[track].seen_ms;
      if (ahead_ms > VideoTimes::kJumpMaxMs || ahead_ms < -VideoTimes::kStepBackMaxMs) {
        Close();
        Renew();
        return PushAudio(track, std::move(frame));
      }
    }
    PlaceAudio(track, std::move(frame));
    return {};
  }

  // On the track's grid, and into the queue.
  void PlaceAudio(std::size_t track, Frame frame) {
    AudioTrack& audio = audio_[track];
    const Timestamp stamped = frame.pts;
    frame.pts = frame.pts + std::chrono::milliseconds(video_track_ ? times_->shift_ms() : 0);
    const std::uint32_t samples = SamplesOfPacket(tracks_[track], frame.data.span());
    const std::int64_t ms = RoundToMillis(frame.pts);
    const bool ahead =
        video_track_ && ms > std::max(times_->max_ms(), audio.seen_ms.value_or(0)) + Millis(kAudioAheadMax);
    if (samples == 0 || ahead) {
      ++counters_.frames_dropped;
      return;
    }
    const std::optional<std::int64_t> sample = audio.grid->Place(frame.pts, samples);
    if (!sample) {
      ++counters_.frames_dropped;
      // Its clock went back by more than a stumble: it comes in again with the next run.
      if (audio.seen_ms && ms < *audio.seen_ms - 2 * VideoTimes::kStepBackMaxMs) audio_lost_ = true;
      return;
    }
    frame.pts = audio.grid->TimeOf(*sample);
    if (AbsMillis(frame.pts - stamped) > Millis(AudioGrid::kJitterMax)) ++counters_.times_corrected;
    const std::int64_t seen_ms = RoundToMillis(frame.pts);
    if (video_track_ && current_) {
      const std::int64_t newest_ms = NewestMs(times_->max_ms());
      if (IsHole(newest_ms, seen_ms)) sound_after_hole_ = {newest_ms, seen_ms};
    }
    audio.seen_ms = seen_ms;
    if (video_track_) times_->OthersAt(*audio.seen_ms);
    held_bytes_ += frame.data.size();
    held_.push_back({.track = track,
                     .frame = std::move(frame),
                     .ms = *audio.seen_ms,
                     .sample = static_cast<std::uint64_t>(*sample),
                     .samples = samples});
  }

  static std::int64_t AbsMillis(Duration duration) {
    return Millis(duration < Duration{0} ? -duration : duration);
  }

  // Moves the audio whose fragment is known out of the queue, then closes the earlier fragment if it is
  // complete.
  Result<void> Pump() {
    if (!current_) return {};
    const bool alone = video_track_ && VideoStands();
    if (alone) {
      sound_after_hole_.reset();  // what goes on without a picture is footage
      FlushPending();
      if (closing_) KnowClosingEnd(ClosingEnd());
    }
    std::deque<Held> waiting;
    Result<void> result;
    while (!held_.empty() && result) {
      Held held = std::move(held_.front());
      held_.pop_front();
      const bool closing_open = closing_ && !closing_end_ms_;
      if (closing_ && BelongsToClosing(held)) {
        held_bytes_ -= held.frame.data.size();
        AddAudioTo(*closing_, std::move(held));
      } else if (!closing_open && (!video_track_ || alone || held.ms <= times_->max_ms())) {
        held_bytes_ -= held.frame.data.size();
        result = AddAudio(std::move(held), alone);
      } else {
        waiting.push_back(std::move(held));
      }
    }
    waiting.insert(waiting.end(), std::move_iterator(held_.begin()), std::move_iterator(held_.end()));
    held_ = std::move(waiting);
    if (!result) return result;
    if (closing_ && ClosingComplete()) FinishClosing();
    return {};
  }

  bool BelongsToClosing(const Held& held) const {
    // A track that has come to the next fragment does not turn back.
    if (current_->facts().track_facts[held.track].frames > 0 || !Fits(*closing_, held)) return false;
    if (closing_end_ms_) return held.ms < *closing_end_ms_;
    return closing_->video_frames() > 0 && held.ms <= closing_->video_max_ms();
  }

  bool Fits(const OpenFragment& fragment, const Held& held) const {
    return fragment.bytes() + held.frame.data.size() + kBlockOverheadMax <= limits_.bytes_max &&
           fragment.frame_count() < kFramesMax && std::abs(held.ms - fragment.opened_ms()) <= kSpanMaxMs;
  }

  std::size_t HeldBytesMax() const { return std::min(kHeldBytesMax, limits_.bytes_max / 4); }

  // Whether audio has waited for the picture long enough.
  bool VideoStands() const {
    return held_.size() > kHeldFramesMax || held_bytes_ > HeldBytesMax() ||
           std::any_of(held_.begin(), held_.end(), [this](const Held& held) {
             // Behind a hole the picture is waited for as it is at the start.
             const std::int64_t from_ms =
                 sound_after_hole_ ? std::max(times_->max_ms(), sound_after_hole_->ms) : times_->max_ms();
             return held.ms > from_ms + Millis(kAudioLeadMax);
           });
  }

  // To the newest fragment; ends it first where that is due.
  Result<void> AddAudio(Held held, bool alone) {
    if (current_->opened_ms() - held.ms > Millis(kAudioLateMax)) {
      ++counters_.frames_dropped;
      return {};
    }
    const std::int64_t age_ms = held.ms - current_->opened_ms();
    const std::int64_t length_ms =
        1000 * std::int64_t{held.samples} / std::int64_t{tracks_[held.track].sample_rate};
    std::optional<FragmentEnd> end;
    if (!video_track_ && age_ms >= duration_min_ms_) end = FragmentEnd::kKeyFrame;
    if (alone && age_ms + length_ms > duration_max_ms_) end = FragmentEnd::kDuration;
    if (OverLimit(held.frame)) end = FragmentEnd::kSize;
    if (end && current_->frame_count() > 0) {
      FlushPending();
      const std::int64_t next_ms =
          current_->video_frames() > 0 ? std::max(held.ms, current_->video_max_ms() + 1) : held.ms;
      MILLRACE_RETURN_IF_ERROR(Cut(*end, next_ms, {.by_video = false, .independent = !video_track_}));
      KnowClosingEnd(next_ms);
    }
    AddAudioTo(*current_, std::move(held));
    return {};
  }

  void AddAudioTo(OpenFragment& fragment, Held held) {
    const std::size_t bytes = held.frame.data.size();
    const Frame frame = held.frame;
    if (!Fits(fragment, held) ||
        !fragment.AddAudio(held.track, std::move(held.frame), held.sample, held.samples)) {
      ++counters_.frames_dropped;
      return;
    }
    counters_.frames += 1;
    counters_.bytes += bytes;
    sink_.AddFrame(fragment.facts().number, frame);
  }

  // ---- fragments

  Result<void> Open(std::int64_t ms, bool independent) {
    if (!run_) {
      MILLRACE_ASSIGN_OR_RETURN(run_, sink_.OpenRun());
    }
    MILLRACE_ASSIGN_OR_RETURN(const FragmentNumber number, sink_.OpenFragment(*run_, independent, tracks_));
    FragmentFacts facts;
    facts.number = number;
    facts.server_start = Timestamp::FromMillis(static_cast<std::int64_t>(number.server_ms));
    facts.run = *run_;
    facts.independent = independent;
    facts.damaged = lossy_;
    facts.clock = clock_;
    facts.tracks_id = tracks_id_;
    facts.tracks = tracks_;
    current_.emplace(std::move(facts), ms, document_bytes_);
    return {};
  }

  struct CutBy {
    bool by_video = true;  // a video frame comes next; otherwise audio that goes on without a picture
    bool independent = true;
  };
  // Ends the newest fragment before a frame at `next_ms` and opens the following one for it.
  Result<void> Cut(FragmentEnd end, std::int64_t next_ms, CutBy by) {
    FinishClosing();
    if (video_track_) {
      const std::int64_t next_video_ms = by.by_video ? next_ms : times_->max_ms() + times_->frame_ms();
      FinishCurrentVideo(next_video_ms);
      if (current_->video_frames() > 0) times_->Cut(current_->video_max_ms());
      // Whatever picture comes late has to keep to the ends that were just written down.
      if (!by.by_video) times_->RaiseFloor(std::max(next_ms, next_video_ms));
    }
    current_->facts().end = end;
    closing_ = std::move(current_);
    current_.reset();
    closing_end_ms_.reset();
    if (!video_track_ || times_->depth() == 0) closing_end_ms_ = next_ms;
    return Open(next_ms, by.independent);
  }

  void FinishCurrentVideo(std::int64_t next_ms) {
    current_->FinishVideo(*video_track_, times_->depth(), next_dts_ms_, next_ms, times_->frame_ms(), tail_);
    next_dts_ms_ = current_->facts().track_facts[*video_track_].end_dts.millis();
  }

  void KnowClosingEnd(std::int64_t ms) {
    if (closing_) closing_end_ms_ = ms;
  }
  std::int64_t ClosingEnd() const {
    if (closing_end_ms_) return *closing_end_ms_;
    return current_->video_frames() > 0 ? current_->video_min_ms() : current_->opened_ms();
  }

  // Whether no more audio is to be waited for.
  bool ClosingComplete() const {
    if (!closing_end_ms_) return false;
    const std::int64_t end_ms = *closing_end_ms_;
    if (video_track_ && times_->max_ms() >= end_ms + Millis(kAudioWaitMax)) return true;
    return std::all_of(audio_.begin(), audio_.end(), [&](const AudioTrack& audio) {
      if (!audio.grid) return true;
      if (!audio.seen_ms) return end_ms > *zero_ms_ + Millis(kAudioLeadMax);
      return RoundToMillis(audio.grid->next_time()) >= end_ms ||
             *audio.seen_ms + Millis(kAudioLeadMax) < end_ms;
    });
  }

  void FinishClosing() {
    if (!closing_) return;
    Emit(*closing_, ClosingEnd());
    closing_.reset();
    closing_end_ms_.reset();
  }

  void Emit(OpenFragment& fragment, std::int64_t end_ms) {
    if (!run_start_) {
      run_start_ = fragment.facts().start;
      if (video_track_) run_start_ = fragment.facts().track_facts[*video_track_].first_dts;
    }
    fragment.facts().run_start = *run_start_;
    std::vector<std::uint64_t> offsets(tracks_.size());
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      const std::int64_t lead_ms = zero_ms_.value_or(0) - run_start_->millis();
      offsets[i] =
          static_cast<std::uint64_t>(std::max<std::int64_t>(lead_ms, 0)) * tracks_[i].sample_rate / 1000;
    }
    std::vector<Frame> frames;
    auto finished = fragment.Finish(end_ms, offsets, frames);
    if (!finished) {
      counters_.frames_dropped += fragment.frame_count();
      return;
    }
    sink_.CloseFragment(std::move(finished).value(), std::move(frames));
  }

  FragmentSink& sink_;
  const BuilderLimits& limits_;
  BuilderCounters& counters_;
  const std::vector<TrackInfo> tracks_;
  const ClockSource clock_;
  const std::uint64_t tracks_id_;
  const std::size_t document_bytes_;  // of a document without frames
  std::optional<std::size_t> video_track_;
  VideoHints hints_;
  std::int64_t duration_min_ms_ = 0;
  std::int64_t duration_max_ms_ = 0;

  std::optional<std::uint64_t> run_;    // asked for at the first fragment
  std::optional<Timestamp> run_start_;  // known when the first fragment is finished
  std::optional<std::int64_t> next_dts_ms_;
  std::vector<std::int64_t> tail_;       // the greatest video times of the fragments before, ascending
  std::optional<std::int64_t> zero_ms_;  // of the audio grids
  std::optional<std::int64_t> first_key_ms_;
  std::optional<VideoTimes> times_;
  std::vector<AudioTrack> audio_;  // by track; of video tracks unused
  bool wait_for_key_frame_ = true;
  bool open_gop_start_ =
      false;  // within the run's first group of pictures, and it does not begin with an IDR
  bool audio_lost_ = false;
  std::int64_t usual_step_ms_ = kFrameMsAssumed;  // between pictures
  bool lossy_ = false;                            // from a loss up to the next key frame
  bool loss_is_new_ = false;                      // no picture has come since

  std::optional<OpenFragment> current_;
  std::optional<OpenFragment> closing_;          // waits for audio; its video is finished
  std::optional<std::int64_t> closing_end_ms_;   // none: not known yet
  std::vector<Frame> pending_;                   // video that may belong to the next fragment
  std::optional<FragmentEnd> pending_end_;       // why
  std::optional<std::int64_t> pending_hole_ms_;  // where the hole before it began, if there is one
  std::size_t pending_bytes_ = 0;
  // Sound that came first behind a time without anything.
  struct SoundAfterHole {
    std::int64_t newest_before_ms = 0;
    std::int64_t ms = 0;
  };
  std::optional<SoundAfterHole> sound_after_hole_;
  std::deque<Held> held_;  // audio whose fragment is not known yet
  std::size_t held_bytes_ = 0;
  std::deque<Held> early_;  // audio before the first key frame
  std::size_t early_bytes_ = 0;
};

FragmentBuilder::FragmentBuilder(FragmentSink& sink, BuilderLimits limits) : sink_(sink), limits_(limits) {}
FragmentBuilder::~FragmentBuilder() = default;

Result<void> FragmentBuilder::StartRun(std::vector<TrackInfo> tracks, ClockSource clock) {
  for (TrackInfo& track : tracks) {
    if (track.kind() == TrackKind::kAudio) CompleteTrack(track);
  }
  if (run_ && run_->Is(tracks, clock)) return {};
  EndRun();
  MILLRACE_RETURN_IF_ERROR(CheckTracks(tracks));
  run_ = std::make_unique<Run>(sink_, limits_, counters_, std::move(tracks), clock);
  return {};
}

Result<void> FragmentBuilder::Push(Frame frame) {
  if (!run_) {
    ++counters_.frames_dropped;
    return Error{ErrorCode::kFailedPrecondition, "no run is open"};
  }
  return run_->Push(std::move(frame));
}

void FragmentBuilder::MarkLoss(TrackKind kind) {
  if (run_) run_->MarkLoss(kind);
}

void FragmentBuilder::EndRun() {
  if (!run_) return;
  run_->Close();
  run_.reset();
}

bool FragmentBuilder::started() const { return run_ != nullptr; }
BuilderCounters FragmentBuilder::counters() const { return counters_; }

}  // namespace millrace
