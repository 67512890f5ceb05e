// webrtc-sim: simulated WebRTC peers for tests and benchmarks, on loopback.
//
//   webrtc-sim publish [--count N] [--codec h264|vp8|vp9] …      webrtc-sim watch [--count N] …
//
// It speaks no HTTP: whoever starts it carries offers and answers. One JSON object a line.
//   out  {"peer":0,"offer":"v=0…"}          for each peer, in any order
//   in   {"peer":0,"answer":"v=0…"}
//   in   {"do":"stats"}                     out  {"connected":1,…}
// Ends when standard input does.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <mutex>
#include <string>

#include "media/gst_handles.h"
#include "samples/webrtc-sim/publishers.h"
#include "samples/webrtc-sim/viewers.h"

namespace millrace::webrtc_sim {
namespace {

namespace json = boost::json;

void Say(const json::object& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::printf("%s\n", json::serialize(line).c_str());
  std::fflush(stdout);
}

void SayOffer(int peer, const std::string& sdp) { Say({{"peer", peer}, {"offer", sdp}}); }
void SayTrouble(const std::string& trouble) { Say({{"trouble", trouble}}); }

template <typename Peers>
std::size_t ConnectedOf(Peers& peers) {
  std::size_t connected = 0;
  for (std::size_t i = 0; i < peers.size(); ++i) connected += peers.peer(i).connected() ? 1 : 0;
  return connected;
}

json::object StatsOf(Publishers& publishers) {
  return {{"connected", ConnectedOf(publishers)},
          {"frames", publishers.frames()},
          {"retransmissions", publishers.peer(0).retransmissions()},
          {"key_frame_requests", publishers.key_frame_requests()}};
}

json::object StatsOf(Viewers& viewers) {
  json::array frames;
  json::array packets;
  for (std::size_t i = 0; i < viewers.size(); ++i) {
    frames.push_back(viewers.frames(i));
    packets.push_back(viewers.packets(i));
  }
  return {{"connected", ConnectedOf(viewers)}, {"frames", frames}, {"packets", packets}};
}

// Until standard input ends.
template <typename Peers>
void Converse(Peers& peers) {
  for (std::string line; std::getline(std::cin, line);) {
    const json::value read = json::parse(line);
    const json::object& request = read.as_object();
    if (const json::value* answer = request.if_contains("answer")) {
      peers.peer(request.at("peer").to_number<std::size_t>()).TakeAnswer(std::string(answer->as_string()));
    } else {
      Say(StatsOf(peers));
    }
  }
}

int Run(int argc, char** argv) {
  CLI::App app{"Simulated WebRTC peers on loopback."};
  app.require_subcommand(1);
  PublisherOptions options;
  bool no_audio = false;
  CLI::App* publish = app.add_subcommand("publish", "send noise and a tone");
  CLI::App* watch = app.add_subcommand("watch", "receive, and count what comes");
  for (CLI::App* each : {publish, watch}) {
    each->add_option("--count", options.count, "so many peers")->check(CLI::Range(1, 1000));
    each->add_option("--codec", options.codec)->check(CLI::IsMember({"h264", "vp8", "vp9"}));
    each->add_option("--address", options.address, "of this machine, to be reached at");
    each->add_flag("--no-audio", no_audio);
  }
  publish->add_option("--width", options.width);
  publish->add_option("--height", options.height);
  publish->add_option("--fps", options.fps);
  publish->add_option("--bitrate", options.bitrate_kbps, "kbit/s");
  publish->add_option("--key-frame-every", options.key_frame_every, "frames, where none is asked for");
  publish->add_option("--frames-log", options.frames_log, "a line for each frame that the first peer sends");
  CLI11_PARSE(app, argc, argv);
  options.audio = !no_audio;

  InitGStreamer();
  if (*publish) {
    Publishers publishers(options, &SayOffer, &SayTrouble);
    publishers.Start();
    Converse(publishers);
  } else {
    Viewers viewers(options.count, options.address, options.codec, options.audio, &SayOffer, &SayTrouble);
    Converse(viewers);
  }
  return 0;
}

}  // namespace
}  // namespace millrace::webrtc_sim

int main(int argc, char** argv) {
  try {
    return millrace::webrtc_sim::Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "webrtc-sim: %s\n", error.what());
    return 1;
  }
}
