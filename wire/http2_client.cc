#include "wire/http2_client.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "wire/http2_connection.h"

namespace millrace::wire {

namespace net = boost::asio;

class Http2Client::Impl {
 public:
  Impl(Endpoint endpoint, Options options)
      : endpoint_(std::move(endpoint)), options_(std::move(options)), work_(io_.get_executor()) {
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Impl() {
    io_.stop();
    thread_.join();
  }

  RequestId Send(HttpRequest request, std::shared_ptr<Receiver> receiver) {
    auto exchange = std::make_unique<Http2Connection::Exchange>();
    const RequestId id = ++last_id_;
    exchange->id = id;
    exchange->request = std::move(request);
    exchange->receiver = std::move(receiver);
    net::post(io_, [this, exchange = std::move(exchange)]() mutable { Assign(std::move(exchange)); });
    return id;
  }
  void Consume(RequestId id, std::size_t bytes) {
    net::post(io_, [this, id, bytes] {
      for (const auto& connection : connections_) connection->Consume(id, bytes);
    });
  }
  void Cancel(RequestId id) {
    net::post(io_, [this, id] {
      for (const auto& connection : connections_) connection->Cancel(id);
    });
  }

 private:
  void Assign(std::unique_ptr<Http2Connection::Exchange> exchange) {
    const auto roomy = std::find_if(connections_.begin(), connections_.end(),
                                    [](const auto& connection) { return connection->HasRoom(); });
    if (roomy != connections_.end()) return (*roomy)->Send(std::move(exchange));
    if (connections_.size() >= options_.connections_max) {
      exchange->receiver->OnEnd(exchange->id,
                                Error{ErrorCode::kUnavailable, "too many requests at a time for the server"});
      return;
    }
    const auto over = [this](const std::shared_ptr<Http2Connection>& connection) {
      std::erase(connections_, connection);
    };
    auto made = std::make_shared<Http2Connection>(io_.get_executor(), endpoint_, options_, over);
    connections_.push_back(made);
    made->Send(std::move(exchange));
    made->Start();
  }

  const Endpoint endpoint_;
  const Options options_;
  std::atomic<RequestId> last_id_{0};
  net::io_context io_{1};
  net::executor_work_guard<net::io_context::executor_type> work_;
  std::vector<std::shared_ptr<Http2Connection>> connections_;  // of the thread
  std::thread thread_;
};

Http2Client::Http2Client(Endpoint endpoint, Options options)
    : impl_(std::make_unique<Impl>(std::move(endpoint), std::move(options))) {}
Http2Client::~Http2Client() = default;

Http2Client::RequestId Http2Client::Send(HttpRequest request, std::shared_ptr<Receiver> receiver) {
  return impl_->Send(std::move(request), std::move(receiver));
}
void Http2Client::Consume(RequestId request, std::size_t bytes) { impl_->Consume(request, bytes); }
void Http2Client::Cancel(RequestId request) { impl_->Cancel(request); }

}  // namespace millrace::wire
