// The cameras behind one RTSP port, and the one timer that paces them all.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "samples/camera-sim/camera.h"
#include "samples/camera-sim/options.h"
#include "samples/camera-sim/session.h"

namespace millrace::camera_sim {

// Threads: the one that runs `io`.
class Server final : public CameraDirectory {
 public:
  // Throws boost::system::system_error when the port cannot be had.
  Server(boost::asio::io_context& io, const Options& options, std::shared_ptr<const PacketClip> clip,
         ClipLibrary library);

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  const std::vector<std::unique_ptr<Camera>>& cameras() const { return cameras_; }

  Camera* FindCamera(int number) override;
  void ScheduleChanged() override;
  const std::string& user() const override { return user_; }
  const std::string& password() const override { return password_; }

 private:
  void Accept();
  void OnTimer();

  boost::asio::io_context& io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer timer_;
  SteadyTime armed_for_ = SteadyTime::max();
  SteadyTime last_run_{};
  std::string user_;
  std::string password_;
  CameraOptions camera_options_;
  std::vector<std::unique_ptr<Camera>> cameras_;
};

}  // namespace millrace::camera_sim
