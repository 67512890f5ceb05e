#include "consumers/hls/ts_continuity.h"

#include <algorithm>
#include <map>
#include <vector>

namespace millrace {
namespace {

constexpr std::size_t kPacket = 188;
constexpr std::size_t kHeader = 4;
constexpr std::uint8_t kSync = 0x47;
constexpr unsigned kCounters = 16;
constexpr std::uint16_t kPidServiceDescription = 0x11;
constexpr std::uint16_t kPidTablesMax = 0x1F;  // PAT and its like; the PMT's lies above

// ISO/IEC 13818-1 section 2.4.3.2.
struct Packet {
  ByteSpan bytes;  // all 188
  std::uint16_t pid() const { return static_cast<std::uint16_t>((bytes[1] & 0x1F) << 8 | bytes[2]); }
  bool starts_unit() const { return (bytes[1] & 0x40) != 0; }
  bool has_payload() const { return (bytes[3] & 0x10) != 0; }
  bool has_adaptation() const { return (bytes[3] & 0x20) != 0; }
  std::size_t adaptation_bytes() const { return has_adaptation() ? std::size_t{1} + bytes[4] : 0; }
  bool sound() const { return bytes[0] == kSync && kHeader + adaptation_bytes() <= kPacket; }
  ByteSpan payload() const {
    return has_payload() ? bytes.subspan(kHeader + adaptation_bytes()) : ByteSpan();
  }
  // A table in one section: begins with a pointer of zero and a table's id below 0x80, where a unit of media
  // has 00 00 01.
  bool is_table() const {
    const ByteSpan data = payload();
    return pid() <= kPidTablesMax ||
           (starts_unit() && data.size() > 2 && !(data[0] == 0 && data[1] == 0 && data[2] == 1));
  }
};

// What is still to be added to a PID.
struct Pid {
  unsigned packets = 0;  // with a payload
  unsigned missing = 0;
  unsigned counter = 0;  // of the next one
};

void SetCounter(Bytes& out, std::size_t packet_at, unsigned counter) {
  out[packet_at + 3] = static_cast<std::uint8_t>((out[packet_at + 3] & 0xF0) | (counter % kCounters));
}

// Appends a packet of this header and adaptation field with `payload`, stuffed to its size.
void AppendStuffed(Bytes& out, ByteSpan header, ByteSpan adaptation, ByteSpan payload) {
  const std::size_t at = out.size();
  out.insert(out.end(), header.begin(), header.end());
  out[at + 3] |= 0x30;
  const std::size_t field = kPacket - kHeader - payload.size();  // with its length
  out.push_back(static_cast<std::uint8_t>(field - 1));
  // The old field's length byte is replaced; flags of nothing where there was none.
  if (adaptation.size() > 1) {
    out.insert(out.end(), adaptation.begin() + 1, adaptation.end());
  } else if (field > 1) {
    out.push_back(0);
  }
  out.resize(at + kPacket - payload.size(), 0xFF);
  out.insert(out.end(), payload.begin(), payload.end());
}

// The packet, its payload but for the last `apart` bytes in one packet, those in one each.
void AppendApart(Bytes& out, const Packet& packet, std::size_t apart, Pid& pid) {
  const ByteSpan payload = packet.payload();
  const ByteSpan adaptation = packet.bytes.subspan(kHeader, packet.adaptation_bytes());
  const auto add = [&](ByteSpan header, ByteSpan field, ByteSpan data) {
    const std::size_t at = out.size();
    AppendStuffed(out, header, field, data);
    SetCounter(out, at, pid.counter++);
  };
  add(packet.bytes.first(kHeader), adaptation, payload.first(payload.size() - apart));
  const std::uint8_t going_on[kHeader] = {kSync, static_cast<std::uint8_t>(packet.bytes[1] & 0x1F),
                                          packet.bytes[2], 0x10};
  for (std::size_t i = payload.size() - apart; i < payload.size(); ++i) {
    add(going_on, {}, payload.subspan(i, 1));
  }
}

}  // namespace

Result<Bytes> AlignContinuity(ByteSpan stream) {
  if (stream.size() % kPacket != 0) return Error{ErrorCode::kInternal, "a packet of MPEG-TS is cut off"};
  std::vector<Packet> packets;
  std::map<std::uint16_t, Pid> pids;
  for (std::size_t at = 0; at < stream.size(); at += kPacket) {
    const Packet packet{stream.subspan(at, kPacket)};
    if (!packet.sound()) return Error{ErrorCode::kInternal, "a packet of MPEG-TS is malformed"};
    if (packet.pid() == kPidServiceDescription) continue;
    packets.push_back(packet);
    if (packet.has_payload()) ++pids[packet.pid()].packets;
  }
  for (auto& [number, pid] : pids) pid.missing = (kCounters - pid.packets % kCounters) % kCounters;

  // From the end on, so that a segment begins as the muxer made it.
  std::vector<std::size_t> added(packets.size(), 0);
  for (std::size_t i = packets.size(); i-- > 0;) {
    if (!packets[i].has_payload()) continue;
    Pid& pid = pids[packets[i].pid()];
    const std::size_t room = packets[i].is_table() ? kCounters : packets[i].payload().size() - 1;
    added[i] = std::min<std::size_t>(pid.missing, room);
    pid.missing -= static_cast<unsigned>(added[i]);
  }

  Bytes out;
  out.reserve(stream.size() + pids.size() * kCounters * kPacket);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const Packet& packet = packets[i];
    Pid& pid = pids[packet.pid()];
    if (packet.has_payload() && !packet.is_table() && added[i] > 0) {
      AppendApart(out, packet, added[i], pid);
      continue;
    }
    for (std::size_t times = 0; times <= added[i]; ++times) {
      const std::size_t at = out.size();
      out.insert(out.end(), packet.bytes.begin(), packet.bytes.end());
      // Without a payload it has its forerunner's.
      SetCounter(out, at, packet.has_payload() ? pid.counter++ : pid.counter + kCounters - 1);
    }
  }
  return out;
}

}  // namespace millrace
