// What one GStreamer connection receives: its tracks behind RTP, the senders' reports about their clocks, and
// the runs that are made of both. RTSP and WebRTC differ in how a connection comes about; from the RTP on
// they are the same.
//
// Threads: any; one lock keeps the events in one row. Pointers into a reception are held by GStreamer's
// callbacks: it outlives the pipeline's running.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>

#include "base/result.h"
#include "base/time.h"
#include "ingest/gst_track.h"
#include "ingest/rtsp_source.h"
#include "ingest/run_builder.h"

namespace millrace {

struct GstReceptionOptions {
  Duration clock_difference_max = std::chrono::seconds(10);  // sender reports further off are not used
  std::size_t bytes_max = std::size_t{16} << 20;             // as RtspSourceOptions::bytes_max
  // Runs begin once each track's sender has told its clock, for which frames wait two seconds at most.
  bool wait_for_reports = false;
  const Clock* clock = &SystemClock();
};

class GstReception {
 public:
  GstReception(const GstReceptionOptions& options, RtspSourceEvents& events)
      : options_(options), events_(events), runs_(events, options.bytes_max, options.wait_for_reports) {}
  GstReception(const GstReception&) = delete;
  GstReception& operator=(const GstReception&) = delete;

  // Reads sender reports where RTCP comes in, and keeps them from GStreamer, which would shift tracks against
  // each other by them. `rtpbin` is one, before its sessions are made.
  void WatchReports(GstElement* rtpbin);
  // So many tracks will be added; frames of the first wait for the others, for a while.
  void Expect(std::size_t tracks);
  // Puts a depayloader, a parser and the way out behind `pad`.
  Result<void> AddTrack(const GstTrackPlan& plan, GstElement* pipeline, GstPad* pad);
  std::size_t tracks() const;

  // Tells OnEnded, once; nothing comes afterwards.
  void End(Error error);
  // Nothing comes any more.
  void Close();

  // When RTP of a track or a report came last, by the steady clock; the epoch: never.
  std::chrono::steady_clock::time_point last_heard() const;

 private:
  struct Report {
    Timestamp ntp;
    std::uint32_t rtp = 0;
    ArrivalTime now;
  };

  static void OnManagerElement(GstBin* manager, GstElement* element, gpointer self);
  static void OnSessionPad(GstElement* session, GstPad* pad, gpointer self);
  static void OnRtcp(GObject* session, GstBuffer* packets, gpointer self);
  ArrivalTime Now() const { return {options_.clock->Now(), options_.clock->SteadyNow()}; }
  void TakeReport(std::uint32_t ssrc, Report report);
  GstTrack::Events EventsOf(std::size_t index, TrackKind kind);

  const GstReceptionOptions options_;
  RtspSourceEvents& events_;
  mutable std::mutex mutex_;  // guards what follows, and keeps the events in one row
  bool ended_ = false;
  RunBuilder runs_;
  std::deque<GstTrack> tracks_;
  std::map<std::uint32_t, std::size_t> track_of_ssrc_;
  std::map<std::uint32_t, Report> early_reports_;  // of senders without a frame so far
  std::chrono::steady_clock::time_point last_heard_{};
};

}  // namespace millrace
