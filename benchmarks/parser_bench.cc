// How fast is the Matroska parser, against libavformat's demuxer, in the same run on the same bytes in
// memory?
//
//   parser_bench [--seconds N] [--json FILE]
//
// Ours and their readers, two kinds of footage, two lengths of document. libwebm (webm::WebmParser) takes
// part where it is installed, and copies frames or passes over them, as its interface allows. libavformat
// reads through a custom AVIOContext and does the demuxer's work alone (no parsers, no stream probing); its
// packets are copies, which is how its interface works. Ours are slices of the input (ParseFragment), or kept
// with Share() as a streaming consumer would (FragmentReader, 64 KiB pieces). Each figure is the best of
// several rounds; a round reads all documents once.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#ifdef MILLRACE_HAVE_LIBWEBM
#include "benchmarks/webm_reader.h"
#endif
#include "media/libav_handles.h"
#include "parser/ebml_writer.h"
#include "parser/fragment_visitor.h"
#include "parser/parse_fragment.h"

namespace millrace {
namespace {

struct Footage {
  const char* name;
  int video_fps;
  std::size_t key_frame_bytes;
  std::size_t delta_frame_bytes;
  int audio_per_second;
  std::size_t audio_bytes;
};

// 1080p25 at 4 Mbit/s with AAC; and what is hardest for a parser: little more than headers (a low-rate
// stream, G.711).
constexpr Footage kFootage[] = {
    {"1080p25 4 Mbit/s + AAC", 25, 120'000, 17'600, 47, 340},
    {"small frames", 25, 2'000, 300, 50, 160},
};

struct Totals {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Totals&, const Totals&) = default;
};

// One document: `seconds` of footage, a Cluster every two seconds.
Bytes MakeDocument(const Footage& footage, int seconds) {
  constexpr int kClusterSeconds = 2;
  Bytes out;
  AppendMatroskaHeader(out, 4);
  const std::size_t segment = BeginMaster(out, ElementId::kSegment);
  const std::size_t info = BeginMaster(out, ElementId::kInfo, 2);
  AppendUnsigned(out, ElementId::kTimestampScale, 1'000'000);
  EndMaster(out, info, 2);
  const std::size_t tracks = BeginMaster(out, ElementId::kTracks, 4);
  for (const std::uint32_t number : {1u, 2u}) {
    const std::size_t entry = BeginMaster(out, ElementId::kTrackEntry, 4);
    AppendUnsigned(out, ElementId::kTrackNumber, number);
    AppendUnsigned(out, ElementId::kTrackUid, number);
    AppendUnsigned(out, ElementId::kTrackType, number);
    AppendText(out, ElementId::kCodecId, number == 1 ? "V_MPEG4/ISO/AVC" : "A_AAC");
    AppendBinary(
        out, ElementId::kCodecPrivate,
        number == 1 ? AsBytes(std::string_view("\x01\x64\x00\x28\xFF\xE0\x00", 7)) : AsBytes("\x11\x90"));
    if (number == 1) {
      const std::size_t video = BeginMaster(out, ElementId::kVideo, 1);
      AppendUnsigned(out, ElementId::kPixelWidth, 1920);
      AppendUnsigned(out, ElementId::kPixelHeight, 1080);
      EndMaster(out, video, 1);
    } else {
      const std::size_t audio = BeginMaster(out, ElementId::kAudio, 1);
      AppendFloat(out, ElementId::kSamplingFrequency, 48000);
      AppendUnsigned(out, ElementId::kChannels, 2);
      EndMaster(out, audio, 1);
    }
    EndMaster(out, entry, 4);
  }
  EndMaster(out, tracks, 4);
  const auto frame = [&out](std::uint32_t track, int ms, bool key, std::size_t size) {
    AppendSimpleBlockHeader(
        out, {.track = track, .relative_timestamp = static_cast<std::int16_t>(ms), .key_frame = key}, size);
    const auto fill = static_cast<std::uint8_t>(out.size() % 251 + 1);
    out.insert(out.end(), size, fill);
  };
  for (int start = 0; start < seconds; start += kClusterSeconds) {
    const std::size_t cluster = BeginMaster(out, ElementId::kCluster);
    AppendUnsigned(out, ElementId::kTimestamp, static_cast<std::uint64_t>(start) * 1000);
    const int span = std::min(kClusterSeconds, seconds - start);
    for (int video = 0, audio = 0; video < span * footage.video_fps;) {
      const int video_ms = video * 1000 / footage.video_fps;
      const int audio_ms = audio * 1000 / footage.audio_per_second;
      if (audio_ms < video_ms) {
        frame(2, audio_ms, true, footage.audio_bytes);
        ++audio;
      } else {
        frame(1, video_ms, video == 0, video == 0 ? footage.key_frame_bytes : footage.delta_frame_bytes);
        ++video;
      }
    }
    EndMaster(out, cluster);
  }
  EndMaster(out, segment);
  return out;
}

Totals ReadByParseFragment(const SharedBytes& document) {
  const Result<ParsedFragment> fragment = ParseFragment(document);
  if (!fragment) throw std::runtime_error(fragment.error().ToString());
  Totals totals;
  totals.packets = fragment->frames.size();
  for (const ParsedFrame& frame : fragment->frames) totals.bytes += frame.data.size();
  return totals;
}

// Keeps the newest frame, as a consumer with a queue would keep them all.
class Keeper final : public FragmentHandler {
 public:
  Result<void> OnFrame(const MkvFragment& /*fragment*/, const MkvFrame& frame) override {
    kept_ = frame.data.Share();
    ++totals.packets;
    totals.bytes += kept_.size();
    return {};
  }
  Totals totals;

 private:
  SharedBytes kept_;
};

template <typename MakePiece>
Totals ReadByStreaming(const SharedBytes& document, MakePiece make_piece) {
  constexpr std::size_t kPiece = std::size_t{64} << 10;
  Keeper keeper;
  FragmentReader reader(keeper);
  Result<void> result;
  for (std::size_t at = 0; result && at < document.size(); at += kPiece) {
    result = reader.Push(make_piece(document, at, std::min(kPiece, document.size() - at)));
  }
  if (result) result = reader.Finish();
  if (!result) throw std::runtime_error(result.error().ToString());
  return keeper.totals;
}

Totals ReadByStreamingShared(const SharedBytes& document) {
  return ReadByStreaming(
      document, [](const SharedBytes& all, std::size_t at, std::size_t size) { return all.Slice(at, size); });
}

// The pieces are a socket's buffer: what is kept is copied.
Totals ReadByStreamingCopied(const SharedBytes& document) {
  return ReadByStreaming(document, [](const SharedBytes& all, std::size_t at, std::size_t size) {
    return all.span().subspan(at, size);
  });
}

struct MemoryInput {
  ByteSpan bytes;
  std::size_t position = 0;

  static int Read(void* opaque, std::uint8_t* out, int size) {
    auto* input = static_cast<MemoryInput*>(opaque);
    const std::size_t taken = std::min(static_cast<std::size_t>(size), input->bytes.size() - input->position);
    if (taken == 0) return AVERROR_EOF;
    std::memcpy(out, input->bytes.data() + input->position, taken);
    input->position += taken;
    return static_cast<int>(taken);
  }
  static std::int64_t Seek(void* opaque, std::int64_t offset, int whence) {
    auto* input = static_cast<MemoryInput*>(opaque);
    const auto size = static_cast<std::int64_t>(input->bytes.size());
    if (whence == AVSEEK_SIZE) return size;
    const std::int64_t base = whence == SEEK_CUR   ? static_cast<std::int64_t>(input->position)
                              : whence == SEEK_END ? size
                                                   : 0;
    if (base + offset < 0 || base + offset > size) return AVERROR(EINVAL);
    input->position = static_cast<std::size_t>(base + offset);
    return base + offset;
  }
};

Totals ReadByLibavformat(const SharedBytes& document) {
  constexpr int kBuffer = 64 << 10;
  MemoryInput input{document.span()};
  AVIOContext* io = avio_alloc_context(static_cast<unsigned char*>(av_malloc(kBuffer)), kBuffer, 0, &input,
                                       &MemoryInput::Read, nullptr, &MemoryInput::Seek);
  AVFormatContext* context = avformat_alloc_context();
  context->pb = io;
  context->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
  const int opened = avformat_open_input(&context, nullptr, av_find_input_format("matroska"), nullptr);
  if (opened < 0) throw std::runtime_error("libavformat: " + AvErrorText(opened));
  AvInputPtr owner(context);
  const AvPacketPtr packet(av_packet_alloc());
  Totals totals;
  while (av_read_frame(context, packet.get()) >= 0) {
    ++totals.packets;
    totals.bytes += static_cast<std::uint64_t>(packet->size);
    av_packet_unref(packet.get());
  }
  owner.reset();
  av_freep(&io->buffer);
  avio_context_free(&io);
  return totals;
}

#ifdef MILLRACE_HAVE_LIBWEBM
template <bool kCopy>
Totals ReadByWebmParser(const SharedBytes& document) {
  const WebmTotals totals = ReadByLibwebm(document.span(), kCopy);
  return {totals.packets, totals.bytes};
}
#endif

struct Reader {
  const char* name;
  Totals (*read)(const SharedBytes&);
};
constexpr Reader kReaders[] = {
    {"libavformat", &ReadByLibavformat},
#ifdef MILLRACE_HAVE_LIBWEBM
    {"libwebm, copied", &ReadByWebmParser<true>},
    {"libwebm, passed over", &ReadByWebmParser<false>},
#endif
    {"FragmentReader, copied", &ReadByStreamingCopied},
    {"FragmentReader, shared", &ReadByStreamingShared},
    {"ParseFragment", &ReadByParseFragment},
};

struct Row {
  std::string footage;
  std::string reader;
  int document_seconds;
  std::size_t input_bytes;
  double packets_per_second;
  double megabytes_per_second;
  double against_libavformat;
};

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Best of several rounds within about `budget` seconds, at least three.
double BestRound(const std::function<void()>& round, double budget) {
  double best = 1e9;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 3 || Seconds(std::chrono::steady_clock::now() - start) < budget; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    round();
    best = std::min(best, Seconds(std::chrono::steady_clock::now() - begin));
  }
  return best;
}

std::vector<Row> Measure(const Footage& footage, int document_seconds, int documents, double budget) {
  std::vector<SharedBytes> inputs;
  std::size_t input_bytes = 0;
  for (int i = 0; i < documents; ++i) {
    inputs.emplace_back(MakeDocument(footage, document_seconds));
    input_bytes += inputs.back().size();
  }
  std::vector<Row> rows;
  Totals expected;
  for (const Reader& reader : kReaders) {
    Totals totals;
    const double seconds = BestRound(
        [&] {
          totals = {};
          for (const SharedBytes& input : inputs) {
            const Totals one = reader.read(input);
            totals.packets += one.packets;
            totals.bytes += one.bytes;
          }
        },
        budget);
    if (rows.empty()) expected = totals;
    if (totals != expected)
      throw std::runtime_error(std::string(reader.name) + " read other packets than libavformat");
    const double rate = static_cast<double>(totals.packets) / seconds;
    rows.push_back({footage.name, reader.name, document_seconds, input_bytes, rate,
                    static_cast<double>(input_bytes) / seconds / 1e6,
                    rows.empty() ? 1.0 : rate / rows.front().packets_per_second});
  }
  return rows;
}

#ifdef __OPTIMIZE__
constexpr bool kOptimised = true;
#else
constexpr bool kOptimised = false;
#endif

void PrintTable(const std::vector<Row>& rows) {
  std::printf(
      "%s build; libavformat %s. ParseFragment does not touch the frames' bytes, so its MB/s are of input "
      "passed.\n",
      kOptimised ? "optimised" : "NOT optimised", AV_STRINGIFY(LIBAVFORMAT_VERSION));
  std::printf("%-24s %9s %9s  %-24s %12s %12s %10s\n", "footage", "document", "input", "reader", "packets/s",
              "MB/s", "x libav");
  for (const Row& row : rows) {
    std::printf("%-24s %7d s %6.1f MB  %-24s %12.0f %12.0f %10.1f\n", row.footage.c_str(),
                row.document_seconds, static_cast<double>(row.input_bytes) / 1e6, row.reader.c_str(),
                row.packets_per_second, row.megabytes_per_second, row.against_libavformat);
  }
}

void WriteJson(const std::vector<Row>& rows, const std::string& path) {
  std::ofstream out(path);
  out << "{\"benchmark\": \"parser\", \"optimised\": " << (kOptimised ? "true" : "false")
      << ", \"libavformat\": \"" << AV_STRINGIFY(LIBAVFORMAT_VERSION) << "\""
      << ", \"rows\": [\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    out << "  {\"footage\": \"" << row.footage << "\", \"reader\": \"" << row.reader
        << "\", \"document_seconds\": " << row.document_seconds << ", \"input_bytes\": " << row.input_bytes
        << ", \"packets_per_second\": " << static_cast<std::uint64_t>(row.packets_per_second)
        << ", \"megabytes_per_second\": " << row.megabytes_per_second
        << ", \"against_libavformat\": " << row.against_libavformat << "}" << (i + 1 < rows.size() ? "," : "")
        << "\n";
  }
  out << "]}\n";
  if (!out) throw std::runtime_error("cannot write " + path);
}

int Main(int argc, char** argv) {
  double budget = 1.0;
  std::string json;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--seconds" && i + 1 < argc) {
      budget = std::atof(argv[++i]);
    } else if (option == "--json" && i + 1 < argc) {
      json = argv[++i];
    } else {
      std::fprintf(stderr,
                   "usage: parser_bench [--seconds N] [--json FILE]   (N: for each reader and input)\n");
      return 2;
    }
  }
  av_log_set_level(AV_LOG_QUIET);
  std::vector<Row> rows;
  const auto add = [&](std::vector<Row> more) { rows.insert(rows.end(), more.begin(), more.end()); };
  for (const Footage& footage : kFootage) {
    add(Measure(footage, 2, 30, budget));   // fragments, as the log holds them
    add(Measure(footage, 120, 1, budget));  // one long document
  }
  PrintTable(rows);
  if (!json.empty()) WriteJson(rows, json);
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  try {
    return millrace::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "parser_bench: %s\n", error.what());
    return 1;
  }
}
