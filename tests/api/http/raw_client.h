// A client that sends exactly the bytes it is told to: for input that no proper client would send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tests/wait.h"

namespace millrace::api::testing {

struct RawAnswer {
  int status = 0;  // 0: no answer came
  std::string head;
  std::string body;
  // The header's value, or "".
  std::string Header(const std::string& name) const {
    std::string lower_head = Lower(head);
    auto at = lower_head.find("\r\n" + Lower(name) + ": ");
    if (at == std::string::npos) return "";
    at += name.size() + 4;
    return head.substr(at, head.find("\r\n", at) - at);
  }
  static std::string Lower(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return text;
  }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int at_once = 1;  // small pieces do not wait for the acknowledgement of those before
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  // False when the peer has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void FinishSending() { ::shutdown(fd_, SHUT_WR); }

  // The next answer (status 100 too, without a body). `head_request`: no body follows.
  RawAnswer Receive(bool head_request = false) {
    RawAnswer answer = ReceiveHead();
    if (answer.status == 0) return answer;
    if (head_request || answer.status == 100 || answer.status == 204 || answer.status == 304) return answer;
    std::string length = answer.Header("Content-Length");
    if (!length.empty()) {
      std::size_t size = std::strtoull(length.c_str(), nullptr, 10);
      while (buffer_.size() < size && Fill()) {
      }
      answer.body = buffer_.substr(0, size);
      buffer_.erase(0, size);
    } else if (answer.Header("Transfer-Encoding") == "chunked") {
      for (std::string chunk = ReceiveChunk(); !chunk.empty(); chunk = ReceiveChunk()) answer.body += chunk;
    } else {
      while (Fill()) {
      }
      answer.body = std::exchange(buffer_, "");
    }
    return answer;
  }

  // The head of an answer whose body comes piece by piece.
  RawAnswer ReceiveHead() {
    RawAnswer answer;
    std::size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return answer;
    }
    answer.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + 9);
    return answer;
  }
  // The next chunk of its body; "": it is over, or broke off (see chunks_complete).
  std::string ReceiveChunk() {
    chunks_complete_ = false;
    std::size_t line;
    while ((line = buffer_.find("\r\n")) == std::string::npos) {
      if (!Fill()) return "";
    }
    const std::size_t size = std::strtoull(buffer_.c_str(), nullptr, 16);
    while (buffer_.size() < line + 2 + size + 2) {
      if (!Fill()) return "";
    }
    std::string chunk = buffer_.substr(line + 2, size);
    buffer_.erase(0, line + 2 + size + 2);
    chunks_complete_ = size == 0;
    return chunk;
  }

  // The next `size` bytes, or what there is of them before the peer closes or falls silent.
  std::string Take(std::size_t size) {
    while (buffer_.size() < size && Fill()) {
    }
    std::string taken = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return taken;
  }

  // Whether the peer says something, or closes, within that time.
  bool Answers(std::chrono::milliseconds within) {
    pollfd wait{fd_, POLLIN, 0};
    return !buffer_.empty() || ::poll(&wait, 1, static_cast<int>(within.count())) > 0;
  }
  // Whether the peer closes, with nothing more to say, before the time limit.
  bool Closed() { return buffer_.empty() && !Fill() && closed_; }
  bool chunks_complete() const { return chunks_complete_; }

 private:
  static constexpr int kPatienceMs = std::chrono::milliseconds(test::kPatience).count();

  bool Fill() {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) <= 0) return false;
    char piece[16384];
    ssize_t n = ::recv(fd_, piece, sizeof(piece), 0);
    if (n <= 0) {
      closed_ = true;
      return false;
    }
    buffer_.append(piece, static_cast<std::size_t>(n));
    return true;
  }

  int fd_;
  bool connected_ = false;
  bool closed_ = false;
  bool chunks_complete_ = false;
  std::string buffer_;
};

}  // namespace millrace::api::testing
