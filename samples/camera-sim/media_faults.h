// Faults of what is sent: units, packets and the bits in them.
#pragma once

#include <random>
#include <string>
#include <utility>

#include "samples/camera-sim/faults.h"
#include "samples/camera-sim/h264_nal.h"
#include "samples/camera-sim/session_faults.h"

namespace millrace::camera_sim {

// Keeps the session but sends no media.
class Silent final : public Fault {
 public:
  explicit Silent(double) {}
  void OnUnit(UnitPlan& unit) override { unit.drop = true; }
};

// The microphone is gone: no more audio packets.
class NoSound final : public Fault {
 public:
  explicit NoSound(double) {}
  void OnUnit(UnitPlan& unit) override { unit.drop |= unit.kind() == TrackKind::kAudio; }
};

// The first audio comes so many seconds after the picture.
class LateSound final : public Fault {
 public:
  explicit LateSound(double seconds) : after_(FromSeconds(seconds)) {}
  void OnUnit(UnitPlan& unit) override {
    unit.drop |= unit.kind() == TrackKind::kAudio && unit.time.since_play < after_;
  }

 private:
  std::chrono::nanoseconds after_;
};

// Begins so many seconds into the clip, key frame or not.
class Join final : public Fault {
 public:
  explicit Join(double seconds) : in_(FromSeconds(seconds)) {}
  void OnStart(StartPlan& start) override {
    start.at_once = true;
    start.in = in_;
  }

 private:
  std::chrono::nanoseconds in_;
};

// Shows the clip of this name (--variant), at once and from its start.
class OtherClip final : public Fault {
 public:
  explicit OtherClip(std::string name) : name_(std::move(name)) {}
  void OnClip(ClipPlan& clip) override { clip.name = name_; }

 private:
  std::string name_;
};

// So many percent of the RTP packets are lost on the way, always the same ones.
class Loss final : public Fault {
 public:
  explicit Loss(double percent) : lost_(percent / 100) {}
  void OnPacket(PacketPlan& packet) override { packet.drop |= lost_(random_); }

 private:
  std::mt19937 random_{1};
  std::bernoulli_distribution lost_;
};

// The marker also stands on SEI, parameter sets and delimiters: the access unit seems to be over.
class MarkerOnSets final : public Fault {
 public:
  explicit MarkerOnSets(double) {}
  void OnUnit(UnitPlan& unit) override {
    // user_data_unregistered of no known kind, so that there is an SEI before every frame.
    if (unit.kind() != TrackKind::kVideo) return;
    Bytes sei{6, 5, 17};
    sei.insert(sei.end(), 17, 0x55);
    sei.push_back(0x80);
    unit.nals_before.push_back(std::move(sei));
  }
  void OnPacket(PacketPlan& packet) override {
    packet.marker |= packet.kind == TrackKind::kVideo && packet.nal_type >= 6 && packet.nal_type <= 9;
  }
};

// No video packet has the marker.
class NoMarker final : public Fault {
 public:
  explicit NoMarker(double) {}
  void OnPacket(PacketPlan& packet) override { packet.marker &= packet.kind != TrackKind::kVideo; }
};

// Sends parameter sets every so many frames whose bytes change and whose meaning does not: the level goes
// up and down by one step.
class SpsFlap final : public Fault {
 public:
  explicit SpsFlap(double frames) : every_(static_cast<std::uint64_t>(frames)) {}
  void OnUnit(UnitPlan& unit) override {
    if (unit.kind() != TrackKind::kVideo || unit.count % every_ != 0) return;
    const auto sets = ParseAvcC(unit.track.codec_private);
    if (!sets) return;
    Bytes sps(sets->sps.begin(), sets->sps.end());
    if (unit.count / every_ % 2 == 0) ++sps[3];  // level_idc
    unit.nals_before.push_back(std::move(sps));
    unit.nals_before.emplace_back(sets->pps.begin(), sets->pps.end());
  }

 private:
  std::uint64_t every_;
};

}  // namespace millrace::camera_sim
