// Signaling channels: what is kept of them, as values of the log's metadata, "signaling/channel/<name>".
//
// Form:    JSON behind a version byte; a member that is not there has its default.
// Errors:  kNotFound: no such channel, or one that was made again; kAlreadyExists; kFailedPrecondition:
// another version;
//          kResourceExhausted: kChannelsMax; kCorruption; others as storage/record_log.h.
// Threads: any; every method may wait for the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/record_log.h"

namespace millrace::api {

inline constexpr std::size_t kChannelsMax = 10'000;
inline constexpr std::uint32_t kMessageTtlDefault_s = 60;

// The video stream that a channel's master is recorded to.
struct ChannelStorage {
  std::string stream;
  Timestamp stream_created;
  bool enabled = false;
  friend bool operator==(const ChannelStorage&, const ChannelStorage&) = default;
};

struct SignalingChannel {
  std::string name{};
  Timestamp created{};         // whole ms; with the name, the channel's identity
  std::uint64_t revision = 1;  // one more with each change of anything but tags
  bool full_mesh = false;      // FULL_MESH was asked for; it is served as SINGLE_MASTER is
  std::uint32_t message_ttl_s = kMessageTtlDefault_s;  // how long a message waits for who is not there
  std::map<std::string, std::string> tags{};
  std::optional<ChannelStorage> storage{};

  // Letters and digits: opaque to clients, and never the same for two states of a channel or of its
  // namesakes.
  std::string Version() const;
  friend bool operator==(const SignalingChannel&, const SignalingChannel&) = default;
};

class SignalingChannels {
 public:
  // Both outlive this.
  SignalingChannels(storage::RecordLog& log, const Clock& clock) : log_(log), clock_(clock) {}

  // `channel` as asked for; its creation time and revision are given here.
  Result<SignalingChannel> Create(SignalingChannel channel);
  Result<SignalingChannel> Get(const std::string& name);
  // Of this name and creation time.
  Result<SignalingChannel> Get(const std::string& name, Timestamp created);
  // Those whose names begin with `prefix`, in name order, behind `after`; at most `limit`.
  Result<std::vector<SignalingChannel>> List(const std::string& prefix, const std::string& after,
                                             std::size_t limit);
  // The channel that is recorded to the stream, if there is one.
  Result<std::optional<SignalingChannel>> FindByStream(const std::string& stream, Timestamp stream_created);

  using Change = std::function<Result<void>(SignalingChannel&)>;
  // Changes the channel as a whole, over any change that comes in between; `version`: only over this one. An
  // error of `change` is given as it is.
  Result<SignalingChannel> Update(const std::string& name, Timestamp created,
                                  const std::optional<std::string>& version, const Change& change);
  Result<void> Delete(const std::string& name, Timestamp created, const std::optional<std::string>& version);

 private:
  struct Stored {
    SignalingChannel channel;
    std::uint64_t entry_version = 0;
  };
  Result<Stored> Load(const std::string& name, Timestamp created, const std::optional<std::string>& version);

  storage::RecordLog& log_;
  const Clock& clock_;
};

}  // namespace millrace::api
