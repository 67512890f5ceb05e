// One client's RTP and RTCP, interleaved in its RTSP connection or by UDP.
#pragma once

#include <sys/uio.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "samples/camera-sim/packets.h"

namespace millrace::camera_sim {

struct RtpHeader {
  std::uint8_t payload_type = 0;
  bool marker = false;
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 0;
};

// Never blocks: what the connection does not take is kept, up to kPendingBytesMax; beyond it whole units are
// dropped. Threads: the server's one thread.
class RtpOutput {
 public:
  static constexpr std::size_t kPendingBytesMax = std::size_t{8} << 20;

  // The socket outlives this. It must be non-blocking.
  explicit RtpOutput(boost::asio::ip::tcp::socket& socket) : socket_(socket) {}

  // Sends track `index` in these channels of the connection (RTP, RTCP).
  void SetInterleaved(std::size_t index, std::uint8_t rtp_channel, std::uint8_t rtcp_channel);
  // … or to these ports of the client. Returns our own RTP port (RTCP is the next); 0 when there is none
  // left.
  std::uint16_t SetUdp(std::size_t index, std::uint16_t client_rtp_port, std::uint16_t client_rtcp_port);
  bool IsSetUp(std::size_t index) const { return index < tracks_.size() && tracks_[index].set_up; }
  std::uint16_t next_sequence(std::size_t index) const { return tracks_[index].sequence; }

  // Asked for every packet; false: the packet is lost on the way.
  using PacketHook = std::function<bool(RtpHeader&, const PacketPiece&)>;

  // False: the unit was dropped, since the client does not read. `header` without marker and sequence.
  bool SendUnit(std::size_t index, const PacketUnit& unit, RtpHeader header, const PacketHook* hook);
  // A sender report with a CNAME (RFC 3550 section 6.4.1): at `ntp` the track's clock said `rtp_time`.
  void SendReport(std::size_t index, std::uint32_t ssrc, Timestamp ntp, std::uint32_t rtp_time);
  // Any bytes as RTCP.
  void SendRtcp(std::size_t index, ByteSpan packet) { SendRtcp(tracks_[index], packet); }
  void SendBye(std::size_t index, std::uint32_t ssrc);
  // Bytes in their place among the packets: RTSP answers.
  void SendText(std::string_view text);

  // Call when the socket can be written and wants_write(). False: the connection is broken.
  bool Flush();
  bool wants_write() const { return !pending_.empty(); }
  bool broken() const { return broken_; }
  std::uint64_t dropped_units() const { return dropped_units_; }

 private:
  struct Track {
    bool set_up = false;
    std::optional<boost::asio::ip::udp::socket> rtp;  // empty: interleaved
    std::optional<boost::asio::ip::udp::socket> rtcp;
    std::uint8_t rtp_channel = 0;
    std::uint8_t rtcp_channel = 0;
    std::uint16_t sequence = 0;
    std::uint32_t packets = 0;
    std::uint32_t octets = 0;
  };

  Track& MakeTrack(std::size_t index);
  void SendRtcp(Track& track, ByteSpan packet);
  void WriteGathered();  // iovecs_ to the connection, the rest to pending_
  void SendDatagrams(Track& track, std::size_t parts_per_packet);

  boost::asio::ip::tcp::socket& socket_;
  std::vector<Track> tracks_;
  Bytes pending_;
  std::size_t pending_at_ = 0;  // bytes of pending_ already written
  bool broken_ = false;
  std::uint64_t dropped_units_ = 0;
  Bytes headers_;              // scratch of SendUnit
  std::vector<iovec> iovecs_;  // scratch of SendUnit
};

}  // namespace millrace::camera_sim
