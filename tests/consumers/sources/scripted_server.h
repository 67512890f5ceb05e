// An HTTP server that answers as a test says, over real sockets: also with bodies that are cut in the middle.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "wire/endpoint.h"

namespace millrace::testing {

struct ScriptedRequest {
  std::string target;
  std::string head;
  std::string body;
};

struct ScriptedAnswer {
  int status = 200;
  std::string body;
  bool cut = false;  // the connection breaks behind these bytes of a body that is said to go on
};

// One connection and request at a time.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::function<ScriptedAnswer(const ScriptedRequest&)> answer);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  wire::Endpoint endpoint() const { return {"127.0.0.1", port_, false}; }
  std::vector<ScriptedRequest> requests() const;
  // The bodies of those that were sent to `target`.
  std::vector<std::string> BodiesOf(const std::string& target) const;

 private:
  void Serve();
  void Answer(int connection);

  const std::function<ScriptedAnswer(const ScriptedRequest&)> answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<ScriptedRequest> requests_;  // GUARDED_BY(mutex_)
  std::thread thread_;
};

}  // namespace millrace::testing
