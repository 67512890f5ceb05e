// Writes footage of any length through the fragment store, as a producer's fragments would have come in: for
// benchmarks that need a month of it within seconds.
//
//   footage_writer --data-dir DIR --stream NAME --mkv FILE --fragments N [--until SECONDS]
//
// FILE: one document of video alone, whose Clusters have a Timestamp of 8 bytes; its fragments are written
// over and over, each later than the one before, so that the last one ends at SECONDS since 1970 (default:
// now). No server may use DIR meanwhile.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

#include "fragments/fragment_assembler.h"
#include "fragments/fragment_store.h"
#include "storage/embedded_log.h"

namespace {

using namespace millrace;

constexpr std::size_t kUnderWayMax = 4096;  // fragments
constexpr std::size_t kUnderWayBytesMax = 64u << 20;
constexpr std::array<std::uint8_t, 2> kTimestampHead = {0xE7, 0x88};  // Timestamp of 8 bytes

[[noreturn]] void Die(const std::string& text) {
  std::fprintf(stderr, "footage_writer: %s\n", text.c_str());
  std::exit(1);
}

template <typename T>
T Must(Result<T> result) {
  if (!result) Die(result.error().ToString());
  return std::move(*result);
}

std::vector<Fragment> FragmentsOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (bytes.empty()) Die("cannot read " + path);
  AssemblerOptions options{.relative_to = Timestamp{}};
  options.limits.frames_of_every_track = false;
  FragmentAssembler assembler(options);
  AssemblerEvents events;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(assembler.push_bytes_max(), bytes.size() - at);
    if (auto refusal = assembler.Push(ByteSpan(bytes).subspan(at, size), events)) Die(refusal->message);
    at += size;
  }
  if (auto refusal = assembler.Finish(events)) Die(refusal->message);
  std::vector<Fragment> fragments;
  for (AssemblerEvent& event : events) {
    if (auto* whole = std::get_if<AssembledFragment>(&event)) fragments.push_back(std::move(whole->fragment));
  }
  if (fragments.empty()) Die(path + " has no fragment");
  return fragments;
}

// The fragment at another time of the producer's clock.
Fragment At(const Fragment& original, Timestamp start, Timestamp run_start) {
  Fragment fragment = original;
  const Duration shift = start - original.facts.start;
  FragmentFacts& facts = fragment.facts;
  facts.start = facts.server_start = start;
  facts.run_start = run_start;
  for (std::size_t i = 0; i < facts.track_facts.size(); ++i) {
    if (facts.tracks[i].kind() != TrackKind::kVideo) Die("the file has more than video");
    TrackFacts& track = facts.track_facts[i];
    track.first_dts = track.first_dts + shift;
    track.end_dts = track.end_dts + shift;
  }
  Bytes mkv(original.mkv.data(), original.mkv.data() + original.mkv.size());
  static constexpr std::array<std::uint8_t, 4> kCluster = {0x1F, 0x43, 0xB6, 0x75};
  const auto cluster = std::search(mkv.begin(), mkv.end(), kCluster.begin(), kCluster.end());
  const auto timestamp = std::search(cluster, mkv.end(), kTimestampHead.begin(), kTimestampHead.end());
  if (mkv.end() - timestamp < 10) Die("a Cluster has no Timestamp of 8 bytes");
  auto ms = static_cast<std::uint64_t>(start.millis());
  for (int i = 9; i >= 2; --i, ms >>= 8) timestamp[i] = static_cast<std::uint8_t>(ms);
  fragment.mkv = SharedBytes(std::move(mkv));
  return fragment;
}

// What is on its way to the disk, within a bound.
class UnderWay {
 public:
  void Begin(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return count_ < kUnderWayMax && bytes_ < kUnderWayBytesMax; });
    ++count_;
    bytes_ += bytes;
  }
  void End(std::size_t bytes, const Result<FragmentNumber>& stored) {
    if (!stored) Die(stored.error().ToString());
    const std::lock_guard lock(mutex_);
    --count_;
    bytes_ -= bytes;
    room_.notify_all();
  }
  void Drain() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_;
  std::size_t count_ = 0;  // GUARDED_BY(mutex_)
  std::size_t bytes_ = 0;  // GUARDED_BY(mutex_)
};

// From `start` on.
void Write(FragmentStore& store, ManualClock& clock, const VideoStream& stream,
           const std::vector<Fragment>& originals, std::uint64_t count, Timestamp start) {
  const std::uint64_t run = Must(store.OpenRun(stream));
  const Timestamp run_start = start;
  UnderWay under_way;
  for (std::uint64_t i = 0; i < count; ++i) {
    clock.StepTo(start);
    Fragment fragment = At(originals[i % originals.size()], start, run_start);
    fragment.facts.run = run;
    fragment.facts.number = Must(store.OpenFragment(stream));
    start = start + fragment.facts.duration;
    const std::size_t bytes = fragment.mkv.size();
    under_way.Begin(bytes);
    store.Append(stream, std::move(fragment),
                 [&under_way, bytes](const Result<FragmentNumber>& stored) { under_way.End(bytes, stored); });
  }
  under_way.Drain();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes footage of any length through the fragment store");
  std::string directory, name, mkv;
  std::uint64_t count = 0;
  std::int64_t until_s = 0;
  app.add_option("--data-dir", directory)->required();
  app.add_option("--stream", name)->required();
  app.add_option("--mkv", mkv)->required();
  app.add_option("--fragments", count)->required();
  app.add_option("--until", until_s);
  CLI11_PARSE(app, argc, argv);
  const std::vector<Fragment> originals = FragmentsOf(mkv);
  const Timestamp until = until_s == 0 ? SystemClock().Now() : Timestamp::FromSeconds(until_s);
  ::mkdir(directory.c_str(), 0700);
  storage::EmbeddedLogOptions log_options;
  log_options.path = directory;
  log_options.reserve_bytes = 0;
  const auto log = Must(storage::EmbeddedLog::Open(log_options));
  Duration all{0};
  for (std::uint64_t i = 0; i < count; ++i) all += originals[i % originals.size()].facts.duration;
  const auto start = Timestamp::FromMillis((until - all).millis());
  ManualClock clock(start);
  FragmentStore::Options options;
  options.clock = &clock;
  const auto store = Must(FragmentStore::Open(*log, options));
  const VideoStream stream = Must(store->CreateStream(name, std::chrono::hours(87600)));
  const auto begun = std::chrono::steady_clock::now();
  Write(*store, clock, stream, originals, count, start);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("%llu fragments in %.1f s\n", static_cast<unsigned long long>(count), seconds);
}
