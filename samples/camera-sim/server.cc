#include "samples/camera-sim/server.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <utility>

namespace millrace::camera_sim {
namespace {

namespace net = boost::asio;
// What falls due within this time is sent in one go: fewer wake-ups with many cameras.
constexpr std::chrono::milliseconds kGrain{4};

}  // namespace

Server::Server(net::io_context& io, const Options& options, std::shared_ptr<const PacketClip> clip,
               ClipLibrary library)
    : io_(io),
      acceptor_(io, net::ip::tcp::endpoint(net::ip::make_address(options.address), options.port)),
      timer_(io),
      user_(options.user),
      password_(options.password),
      camera_options_{options.frames,
                      std::chrono::nanoseconds(static_cast<std::int64_t>(options.report_interval_s * 1e9)),
                      std::move(library)} {
  acceptor_.listen(1024);
  for (int number = 1; number <= options.cameras; ++number) {
    cameras_.push_back(std::make_unique<Camera>(number, clip, camera_options_));
  }
  Accept();
}

Camera* Server::FindCamera(int number) {
  if (number < 1 || static_cast<std::size_t>(number) > cameras_.size()) return nullptr;
  return cameras_[static_cast<std::size_t>(number - 1)].get();
}

void Server::Accept() {
  acceptor_.async_accept([this](const auto& error, net::ip::tcp::socket socket) {
    if (error == net::error::operation_aborted) return;
    if (!error) std::make_shared<Session>(std::move(socket), *this)->Run();
    Accept();
  });
}

void Server::ScheduleChanged() {
  SteadyTime due = SteadyTime::max();
  for (const auto& camera : cameras_) due = std::min(due, camera->NextDue());
  if (due == SteadyTime::max()) {
    timer_.cancel();
    armed_for_ = due;
    return;
  }
  due = std::max(due, last_run_ + kGrain);
  if (due == armed_for_) return;
  armed_for_ = due;
  timer_.expires_at(due);
  timer_.async_wait([this](const auto& error) {
    if (!error) OnTimer();
  });
}

void Server::OnTimer() {
  armed_for_ = SteadyTime::max();
  last_run_ = std::chrono::steady_clock::now();
  for (const auto& camera : cameras_) {
    if (camera->NextDue() <= last_run_) camera->SendDue(last_run_);
  }
  ScheduleChanged();
}

}  // namespace millrace::camera_sim
