// The configuration file: any text gives a configuration within its bounds, or an error that names the file.
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "server/config.h"

namespace millrace::fuzz {

std::vector<Seed> Seeds() {
  return {TextSeed("whole",
                   "listen: 127.0.0.1:4567\ndata_dir: /var/lib/millrace\nstop_timeout_s: 20\n"
                   "log: {level: info, format: json}\n"
                   "http:\n  threads: 4\n  connections_max: 100\n  idle_timeout_s: 60\n"
                   "cameras:\n  fragment_duration_min_s: 1\n  fragment_duration_max_s: 10\n  dials_max: 8\n"
                   "storage: {shards: 4, segment_mib: 256, queue_mib: 256, reserve_mib: 64, cache_mib: 64}\n"
                   "hls: {cache_mib: 128}\n"),
          TextSeed("misspelt", "listn: localhost:0\n"),
          TextSeed("of-another-type", "storage: [1, 2]\nhttp: yes\n"),
          TextSeed("anchors", "a: &x {shards: 1}\nstorage: *x\n? [1]\n: !!str 2\n"),
          TextSeed("ipv6", "listen: '[::1]:4567'\n---\nlisten: x\n")};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  if (size > 4096) return 0;
  const auto config = server::ParseConfig(std::string(AsText(ByteSpan(data, size))), "f.yaml");
  if (!config) {
    FUZZ_CHECK(config.error().code == ErrorCode::kInvalidArgument, config.error().ToString());
    FUZZ_CHECK(config.error().message.rfind("f.yaml", 0) == 0, config.error().message);
    FUZZ_CHECK(config.error().message.size() < 2000, config.error().message);
    return 0;
  }
  FUZZ_CHECK(config->http_connections_max >= 1 && config->storage_shards >= 1, "out of bounds");
  FUZZ_CHECK(config->fragment_duration_max >= config->fragment_duration_min, "out of order");
  FUZZ_CHECK(config->stop_timeout >= std::chrono::seconds(1), "out of bounds");
  const std::string url = config->listen.Url(config->listen.port);
  FUZZ_CHECK(url.rfind("http://", 0) == 0 && url.size() < 80, url);
  return 0;
}
