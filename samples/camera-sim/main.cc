// camera-sim: simulated RTSP cameras for tests, benchmarks and a first look.
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <exception>
#include <utility>

#include "base/log.h"
#include "media/libav_handles.h"
#include "samples/camera-sim/clip_encoder.h"
#include "samples/camera-sim/clip_file.h"
#include "samples/camera-sim/control.h"
#include "samples/camera-sim/options.h"
#include "samples/camera-sim/packets.h"
#include "samples/camera-sim/server.h"

namespace millrace::camera_sim {
namespace {

int Fail(const Error& error) {
  Log(LogLevel::kError, "cannot start", {{"error", error.ToString()}});
  return 1;
}

int Run(const Options& options) {
  InitLogging(LogLevel::kInfo, LogFormat::kText);
  av_log_set_level(AV_LOG_WARNING);
  auto clip = MakeClip(options.clip, options.cache);
  if (!clip) return Fail(clip.error());
  if (!options.dump.empty()) {
    if (auto saved = SaveClip(*clip, options.dump, "camera-sim"); !saved) return Fail(saved.error());
  }
  auto packets = MakePacketClip(std::move(*clip), options.mtu);
  if (!packets) return Fail(packets.error());
  ClipLibrary library;
  for (const ClipVariant& variant : options.variants) {
    auto other = MakeClip(variant.clip, "");
    if (!other) return Fail(other.error());
    if (!variant.dump.empty()) {
      if (auto saved = SaveClip(*other, variant.dump, "camera-sim"); !saved) return Fail(saved.error());
    }
    auto other_packets = MakePacketClip(std::move(*other), options.mtu);
    if (!other_packets) return Fail(other_packets.error());
    library[variant.name] = *other_packets;
  }

  boost::asio::io_context io{1};
  Server server(io, options, *packets, std::move(library));
  for (const std::string& fault : options.faults) {
    bool quit = false;
    const std::string answer = RunCommand(server, FaultCommand(fault), quit);
    if (answer.starts_with("error ")) return Fail(Error{ErrorCode::kInvalidArgument, answer.substr(6)});
  }
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&io](const auto& error, int) {
    if (!error) io.stop();
  });
  std::printf("camera-sim ready rtsp://%s:%u/cam/ cameras=%d\n", options.address.c_str(), server.port(),
              options.cameras);
  std::fflush(stdout);
  ReadCommands(io, server, options.until_stdin_closes);
  io.run();
  return 0;
}

}  // namespace
}  // namespace millrace::camera_sim

int main(int argc, char** argv) {
  try {
    return millrace::camera_sim::Run(millrace::camera_sim::ParseOptions(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "camera-sim: %s\n", error.what());
    return 1;
  }
}
