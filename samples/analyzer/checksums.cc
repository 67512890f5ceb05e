// The size and CRC-32 of each fragment, and how many frames each track has: a small consumer of whole
// fragments, which nothing is decoded for.
//
//   {"Bytes": 48213, "Crc32": 3735928559, "Tracks": [{"Number": 1, "Frames": 25}]}
//
// The bytes are those that GetMediaForFragmentList gives, so that a copy elsewhere can be compared with them.
#include <boost/crc.hpp>
#include <boost/json/array.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "consumers/analysis/analyzer_plugin.h"
#include "consumers/analysis/option_reader.h"

namespace {

class Stream final : public millrace::StreamFragmentConsumer {
 public:
  millrace::Result<std::vector<millrace::FragmentFinding>> Consume(
      const millrace::ConsumedFragment& fragment) override {
    const millrace::ParsedFragment& parsed = fragment.parsed;
    boost::crc_32_type crc;
    crc.process_bytes(parsed.bytes.data(), parsed.bytes.size());
    std::map<std::uint32_t, std::size_t> counts;
    for (const millrace::ParsedFrame& frame : parsed.frames) ++counts[frame.track];
    boost::json::array tracks;
    for (const auto& [number, frames] : counts) tracks.push_back({{"Number", number}, {"Frames", frames}});
    // One finding of the fragment as a whole, at its start.
    millrace::FragmentFinding finding;
    finding.found = {{"Bytes", parsed.bytes.size()}, {"Crc32", crc.checksum()}, {"Tracks", tracks}};
    return std::vector<millrace::FragmentFinding>{std::move(finding)};
  }
};

class Checksums final : public millrace::FragmentConsumer {
 public:
  static millrace::Result<std::unique_ptr<millrace::FragmentConsumer>> Make(
      const boost::json::object& options) {
    MILLRACE_RETURN_IF_ERROR(millrace::OptionReader(options).Finish());  // there are none
    return std::unique_ptr<millrace::FragmentConsumer>(std::make_unique<Checksums>());
  }
  std::string name() const override { return "checksums"; }
  std::string version() const override { return "1"; }
  millrace::Result<std::unique_ptr<millrace::StreamFragmentConsumer>> Open(
      const std::string&, const boost::json::object& options) override {
    MILLRACE_RETURN_IF_ERROR(millrace::OptionReader(options).Finish());
    return std::unique_ptr<millrace::StreamFragmentConsumer>(std::make_unique<Stream>());
  }
};

}  // namespace

MILLRACE_ANALYZER(Checksums);
