#include "samples/camera-sim/rtp_output.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <random>

namespace millrace::camera_sim {
namespace {

namespace net = boost::asio;

constexpr std::size_t kIovecsMax = 1024;               // IOV_MAX
constexpr std::uint64_t kNtpEpochOffset = 2208988800;  // 1900 to 1970, seconds
constexpr std::size_t kDatagramsMax = 64;              // a call

void AppendNtp(Bytes& out, Timestamp time) {
  const std::int64_t seconds = time.seconds();
  const auto fraction_ns = static_cast<std::uint64_t>(time.ns - seconds * 1'000'000'000);
  AppendBigEndian(out, static_cast<std::uint32_t>(static_cast<std::uint64_t>(seconds) + kNtpEpochOffset));
  AppendBigEndian(out, static_cast<std::uint32_t>((fraction_ns << 32) / 1'000'000'000));
}

// SDES with a CNAME, which every compound packet carries.
void AppendSdes(Bytes& out, std::uint32_t ssrc) {
  constexpr std::string_view kName =
      "camera-sim";  // 10 bytes: item of 12, then 4 of padding: 4 words with the SSRC
  out.insert(out.end(), {0x81, 202, 0, 5});
  AppendBigEndian(out, ssrc);
  out.insert(out.end(), {1, static_cast<std::uint8_t>(kName.size())});
  out.insert(out.end(), kName.begin(), kName.end());
  out.insert(out.end(), 4, 0);
}

iovec View(const std::uint8_t* data, std::size_t size) {
  return {const_cast<std::uint8_t*>(data), size};  // sendmsg only reads
}

}  // namespace

RtpOutput::Track& RtpOutput::MakeTrack(std::size_t index) {
  if (tracks_.size() <= index) tracks_.resize(index + 1);
  Track& track = tracks_[index];
  if (!track.set_up) {
    static std::mt19937 random{std::random_device{}()};
    track.sequence = static_cast<std::uint16_t>(random());
  }
  track.set_up = true;
  return track;
}

void RtpOutput::SetInterleaved(std::size_t index, std::uint8_t rtp_channel, std::uint8_t rtcp_channel) {
  Track& track = MakeTrack(index);
  track.rtp.reset();
  track.rtcp.reset();
  track.rtp_channel = rtp_channel;
  track.rtcp_channel = rtcp_channel;
}

std::uint16_t RtpOutput::SetUdp(std::size_t index, std::uint16_t client_rtp_port,
                                std::uint16_t client_rtcp_port) {
  using net::ip::udp;
  boost::system::error_code error;
  const auto local = socket_.local_endpoint(error).address();
  const auto remote = socket_.remote_endpoint(error).address();
  if (error) return 0;
  for (int attempt = 0; attempt < 50; ++attempt) {
    udp::socket rtp(socket_.get_executor());
    udp::socket rtcp(socket_.get_executor());
    rtp.open(local.is_v4() ? udp::v4() : udp::v6(), error);
    if (!error) rtp.bind({local, 0}, error);
    if (error) return 0;
    const std::uint16_t port = rtp.local_endpoint(error).port();
    if (port % 2 != 0) continue;
    rtcp.open(local.is_v4() ? udp::v4() : udp::v6(), error);
    if (!error) rtcp.bind({local, static_cast<std::uint16_t>(port + 1)}, error);
    if (error) continue;
    rtp.set_option(net::socket_base::send_buffer_size(1 << 20), error);
    rtp.connect({remote, client_rtp_port}, error);
    if (!error) rtcp.connect({remote, client_rtcp_port}, error);
    if (error) return 0;
    rtp.non_blocking(true, error);
    rtcp.non_blocking(true, error);
    Track& track = MakeTrack(index);
    track.rtp = std::move(rtp);
    track.rtcp = std::move(rtcp);
    return port;
  }
  return 0;
}

bool RtpOutput::SendUnit(std::size_t index, const PacketUnit& unit, RtpHeader header,
                         const PacketHook* hook) {
  Track& track = tracks_[index];
  const bool interleaved = !track.rtp;
  if (interleaved && pending_.size() - pending_at_ > kPendingBytesMax) {
    ++dropped_units_;
    return false;
  }
  // All headers first, in one block that does not move any more; then the vectors that point into it.
  constexpr std::size_t kHeaderMax = 4 + 12 + 4;
  headers_.resize(unit.pieces.size() * kHeaderMax);
  iovecs_.clear();
  std::uint8_t* at = headers_.data();
  for (const PacketPiece& piece : unit.pieces) {
    header.marker = piece.marker;
    header.sequence = track.sequence++;
    if (hook != nullptr && !(*hook)(header, piece)) continue;
    std::uint8_t* start = at;
    const std::size_t payload = piece.prefix_size + piece.data.size();
    if (interleaved) {
      *at++ = '$';
      *at++ = track.rtp_channel;
      *at++ = static_cast<std::uint8_t>((payload + 12) >> 8);
      *at++ = static_cast<std::uint8_t>(payload + 12);
    }
    *at++ = 0x80;
    *at++ = static_cast<std::uint8_t>(header.payload_type | (header.marker ? 0x80 : 0));
    *at++ = static_cast<std::uint8_t>(header.sequence >> 8);
    *at++ = static_cast<std::uint8_t>(header.sequence);
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<std::uint8_t>(header.timestamp >> shift);
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<std::uint8_t>(header.ssrc >> shift);
    at = std::copy_n(piece.prefix.begin(), piece.prefix_size, at);
    iovecs_.push_back(View(start, static_cast<std::size_t>(at - start)));
    iovecs_.push_back(View(piece.data.data(), piece.data.size()));
    ++track.packets;
    track.octets += static_cast<std::uint32_t>(payload);
  }
  if (interleaved) {
    WriteGathered();
  } else {
    SendDatagrams(track, 2);
  }
  return true;
}

void RtpOutput::WriteGathered() {
  std::size_t done = 0;  // whole vectors written
  while (pending_.empty() && !broken_ && done < iovecs_.size()) {
    msghdr message{};
    message.msg_iov = iovecs_.data() + done;
    message.msg_iovlen = std::min(kIovecsMax, iovecs_.size() - done);
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) broken_ = true;
      break;
    }
    auto left = static_cast<std::size_t>(sent);
    while (done < iovecs_.size() && left >= iovecs_[done].iov_len) left -= iovecs_[done++].iov_len;
    if (left > 0) {
      iovecs_[done].iov_base = static_cast<std::uint8_t*>(iovecs_[done].iov_base) + left;
      iovecs_[done].iov_len -= left;
    }
  }
  if (broken_) return;
  for (; done < iovecs_.size(); ++done) {
    const auto* data = static_cast<const std::uint8_t*>(iovecs_[done].iov_base);
    pending_.insert(pending_.end(), data, data + iovecs_[done].iov_len);
  }
}

void RtpOutput::SendDatagrams(Track& track, std::size_t parts_per_packet) {
  std::size_t at = 0;
  while (at < iovecs_.size()) {
    mmsghdr messages[kDatagramsMax] = {};
    const std::size_t count = std::min(kDatagramsMax, (iovecs_.size() - at) / parts_per_packet);
    for (std::size_t i = 0; i < count; ++i) {
      messages[i].msg_hdr.msg_iov = &iovecs_[at + i * parts_per_packet];
      messages[i].msg_hdr.msg_iovlen = parts_per_packet;
    }
    const int sent =
        ::sendmmsg(track.rtp->native_handle(), messages, static_cast<unsigned>(count), MSG_DONTWAIT);
    // What the network does not take now is lost, as on a real one; a refusal speaks of an earlier datagram.
    at += parts_per_packet * static_cast<std::size_t>(std::max(sent, 1));
  }
}

void RtpOutput::SendRtcp(Track& track, ByteSpan packet) {
  iovecs_.clear();
  std::uint8_t frame[4] = {'$', track.rtcp_channel, static_cast<std::uint8_t>(packet.size() >> 8),
                           static_cast<std::uint8_t>(packet.size())};
  if (track.rtcp) {
    (void)::send(track.rtcp->native_handle(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  iovecs_.push_back(View(frame, sizeof(frame)));
  iovecs_.push_back(View(packet.data(), packet.size()));
  WriteGathered();
}

void RtpOutput::SendReport(std::size_t index, std::uint32_t ssrc, Timestamp ntp, std::uint32_t rtp_time) {
  Track& track = tracks_[index];
  Bytes packet{0x80, 200, 0, 6};
  AppendBigEndian(packet, ssrc);
  AppendNtp(packet, ntp);
  AppendBigEndian(packet, rtp_time);
  AppendBigEndian(packet, track.packets);
  AppendBigEndian(packet, track.octets);
  AppendSdes(packet, ssrc);
  SendRtcp(track, packet);
}

void RtpOutput::SendBye(std::size_t index, std::uint32_t ssrc) {
  Bytes packet{0x80, 201, 0, 1};  // an empty receiver report: a compound packet starts with a report
  AppendBigEndian(packet, ssrc);
  AppendSdes(packet, ssrc);
  packet.insert(packet.end(), {0x81, 203, 0, 1});
  AppendBigEndian(packet, ssrc);
  SendRtcp(tracks_[index], packet);
}

void RtpOutput::SendText(std::string_view text) {
  iovecs_.clear();
  const ByteSpan bytes = AsBytes(text);
  iovecs_.push_back(View(bytes.data(), bytes.size()));
  WriteGathered();
}

bool RtpOutput::Flush() {
  while (!broken_ && pending_at_ < pending_.size()) {
    const ssize_t sent = ::send(socket_.native_handle(), pending_.data() + pending_at_,
                                pending_.size() - pending_at_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) broken_ = true;
      break;
    }
    pending_at_ += static_cast<std::size_t>(sent);
  }
  if (pending_at_ == pending_.size()) {
    pending_.clear();
    pending_at_ = 0;
  } else if (pending_at_ > pending_.size() / 2) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(pending_at_));
    pending_at_ = 0;
  }
  return !broken_;
}

}  // namespace millrace::camera_sim
