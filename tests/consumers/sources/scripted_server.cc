#include "tests/consumers/sources/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace millrace::testing {

ScriptedServer::ScriptedServer(std::function<ScriptedAnswer(const ScriptedRequest&)> answer)
    : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

std::vector<ScriptedRequest> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> ScriptedServer::BodiesOf(const std::string& target) const {
  std::vector<std::string> bodies;
  for (const ScriptedRequest& request : requests()) {
    if (request.target == target) bodies.push_back(request.body);
  }
  return bodies;
}

void ScriptedServer::Serve() {
  while (!stopping_) {
    const int connection = accept(listener_, nullptr, nullptr);
    if (connection < 0) continue;
    Answer(connection);
    close(connection);
  }
}

void ScriptedServer::Answer(int connection) {
  std::string in;
  char piece[4096];
  std::size_t wanted = std::string::npos;
  while (in.size() < wanted) {
    const ssize_t got = read(connection, piece, sizeof(piece));
    if (got <= 0) return;
    in.append(piece, static_cast<std::size_t>(got));
    const std::size_t end = in.find("\r\n\r\n");
    const std::size_t length = in.find("Content-Length: ");
    if (end == std::string::npos) continue;
    wanted = end + 4 + (length < end ? std::stoul(in.substr(length + 16)) : 0);
  }
  const std::size_t space = in.find(' ');
  const std::size_t end = in.find("\r\n\r\n");
  const ScriptedRequest request{in.substr(space + 1, in.find(' ', space + 1) - space - 1), in.substr(0, end),
                                in.substr(end + 4)};
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const ScriptedAnswer answer = answer_(request);
  const std::string out =
      "HTTP/1.1 " + std::to_string(answer.status) + " X\r\nConnection: close\r\nContent-Length: " +
      std::to_string(answer.body.size() + (answer.cut ? 1000 : 0)) + "\r\n\r\n" + answer.body;
  for (std::size_t at = 0; at < out.size();) {
    const ssize_t sent = send(connection, out.data() + at, out.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return;
    at += static_cast<std::size_t>(sent);
  }
}

}  // namespace millrace::testing
