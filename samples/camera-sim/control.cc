#include "samples/camera-sim/control.h"

#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <charconv>
#include <cstdio>
#include <functional>
#include <istream>
#include <memory>
#include <sstream>
#include <vector>

namespace millrace::camera_sim {
namespace {

namespace net = boost::asio;

// The cameras that "3" or "all" names; none for anything else.
std::vector<Camera*> Named(Server& server, const std::string& name) {
  std::vector<Camera*> cameras;
  if (name == "all") {
    for (const auto& camera : server.cameras()) cameras.push_back(camera.get());
    return cameras;
  }
  int number = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (problem == std::errc{} && end == name.data() + name.size()) {
    if (Camera* camera = server.FindCamera(number)) cameras.push_back(camera);
  }
  return cameras;
}

std::string Status(Server& server) {
  std::string text = "[";
  for (const auto& camera : server.cameras()) text += (text.size() > 1 ? "," : "") + camera->StatusJson();
  return "ok status " + text + "]";
}

// Reads lines from a descriptor that can be waited for (a pipe or a terminal, not a file).
class LineReader : public std::enable_shared_from_this<LineReader> {
 public:
  LineReader(net::io_context& io, Server& server, bool until_closed)
      : io_(io), input_(io), server_(server), until_closed_(until_closed) {}
  bool Open() {
    boost::system::error_code error;
    input_.assign(::dup(STDIN_FILENO), error);
    return !error;
  }
  void Read() {
    net::async_read_until(input_, buffer_, '\n', [self = shared_from_this()](const auto& error, std::size_t) {
      if (error) {
        if (self->until_closed_) self->io_.stop();
        return;
      }
      self->OnLine();
    });
  }

 private:
  void OnLine() {
    std::istream stream(&buffer_);
    std::string line;
    std::getline(stream, line);
    bool quit = false;
    const std::string answer = RunCommand(server_, line, quit);
    std::printf("%s\n", answer.c_str());
    std::fflush(stdout);
    if (quit) return io_.stop();
    Read();
  }

  net::io_context& io_;
  net::posix::stream_descriptor input_;
  Server& server_;
  const bool until_closed_;
  net::streambuf buffer_{4096};
};

}  // namespace

std::string RunCommand(Server& server, std::string_view line, bool& quit) {
  std::istringstream words{std::string(line)};
  std::string verb;
  std::string name;
  std::string fault;
  std::string value;
  words >> verb >> name >> fault >> value;
  if (verb == "quit") {
    quit = true;
    return "ok quit";
  }
  if (verb == "status") return Status(server);

  std::function<Result<void>(Camera&)> act;
  if (verb == "stop") {
    act = [](Camera& camera) { return camera.Stop(), Result<void>(); };
  } else if (verb == "start") {
    act = [](Camera& camera) { return camera.Start(), Result<void>(); };
  } else if (verb == "restart") {
    act = [](Camera& camera) { return camera.Stop(), camera.Start(), Result<void>(); };
  } else if (verb == "drop") {
    act = [](Camera& camera) { return camera.DropClients(), Result<void>(); };
  } else if (verb == "clear") {
    act = [](Camera& camera) { return camera.ClearFaults(), Result<void>(); };
  } else if (verb == "fault") {
    act = [&](Camera& camera) -> Result<void> {
      MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<Fault> made, MakeFault(fault, value));
      return camera.AddFault(std::move(made));
    };
  } else {
    return "error unknown command '" + verb +
           "'; there are stop, start, restart, drop, fault, clear, status, quit";
  }
  const std::vector<Camera*> cameras = Named(server, name);
  if (cameras.empty()) return "error no camera '" + name + "'";
  for (Camera* camera : cameras) {
    if (auto done = act(*camera); !done) return "error " + done.error().message;
  }
  server.ScheduleChanged();
  return "ok " + std::string(line);
}

std::string FaultCommand(const std::string& option) {
  const std::size_t at = option.rfind('@');
  std::string fault = option.substr(0, at);
  if (const std::size_t equals = fault.find('='); equals != std::string::npos) fault[equals] = ' ';
  return "fault " + (at == std::string::npos ? "all" : option.substr(at + 1)) + " " + fault;
}

void ReadCommands(net::io_context& io, Server& server, bool until_stdin_closes) {
  auto reader = std::make_shared<LineReader>(io, server, until_stdin_closes);
  if (reader->Open()) reader->Read();
}

}  // namespace millrace::camera_sim
