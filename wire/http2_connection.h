// One HTTP/2 connection of a client: nghttp2's session between requests and a transport.
//
// Threads: one, the executor's. Receivers are called within its coroutines; they may call back.
#pragma once

#include <nghttp2/nghttp2.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/released_by.h"
#include "wire/client_transport.h"
#include "wire/http2_client.h"

namespace millrace::wire {

class Http2Connection : public std::enable_shared_from_this<Http2Connection> {
 public:
  struct Exchange {
    Http2Client::RequestId id = 0;
    HttpRequest request;
    std::size_t body_sent = 0;
    HttpResponse head;
    bool answered = false;                            // the head was given: HEADERS that follow are trailers
    std::shared_ptr<Http2Client::Receiver> receiver;  // null: cancelled
  };

  // What it is given outlives it. `over`: called once, at the end; then every request has had its OnEnd.
  Http2Connection(const boost::asio::any_io_executor& executor, const Endpoint& endpoint,
                  const Http2Client::Options& options,
                  std::function<void(const std::shared_ptr<Http2Connection>&)> over);

  // Connects and serves until the connection is over.
  void Start();
  // Whether one more request may be sent.
  bool HasRoom() const;
  std::size_t size() const { return waiting_.size() + streams_.size(); }

  void Send(std::unique_ptr<Exchange> exchange);
  // Of requests that are not here: nothing.
  void Consume(Http2Client::RequestId id, std::size_t bytes);
  void Cancel(Http2Client::RequestId id);

 private:
  struct Callbacks;
  using SessionPtr = std::unique_ptr<nghttp2_session, ReleasedBy<nghttp2_session_del>>;

  boost::asio::awaitable<void> Serve();
  boost::asio::awaitable<Result<void>> Read();
  boost::asio::awaitable<void> WriteAll();
  // Ends the connection where nothing comes.
  boost::asio::awaitable<void> Watch();
  Result<void> MakeSession();
  void Submit(std::unique_ptr<Exchange> exchange);
  // Sends what the session has to say.
  void Flush();
  void End(const Error& error);

  const boost::asio::any_io_executor executor_;
  const Endpoint& endpoint_;
  const Http2Client::Options& options_;
  const std::function<void(const std::shared_ptr<Http2Connection>&)> over_;
  ClientTransport transport_;
  boost::asio::steady_timer watch_;
  SessionPtr session_;                              // null: not connected
  std::vector<std::unique_ptr<Exchange>> waiting_;  // until it is connected
  std::map<std::int32_t, std::unique_ptr<Exchange>> streams_;
  std::map<Http2Client::RequestId, std::int32_t> ids_;  // of streams_
  std::chrono::steady_clock::time_point heard_at_;
  bool writing_ = false;
  bool going_away_ = false;  // takes no more requests
  bool ended_ = false;
};

}  // namespace millrace::wire
