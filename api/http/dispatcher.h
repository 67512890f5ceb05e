// One request from arrival to answer, whatever carried it: who may call, the route, the handler, counting,
// the log.
//
// Threads: Handle on the request's connection; any number at once.
#pragma once

#include "api/http/http.h"
#include "api/http/router.h"

namespace millrace::api {

class ObservedWriter;

// Decides who may call, and is told what came of it.
class Gatekeeper {
 public:
  virtual ~Gatekeeper() = default;
  // Whether the request may go to its handler; false: it was answered. Says in the request who calls, and may
  // put a source that checks in the place of its body.
  virtual net::awaitable<bool> Admit(Request& request, ResponseWriter& writer,
                                     const Router::Match& match) = 0;
  // It was answered, or its connection ended.
  virtual void Answered(const Request& request, const ObservedWriter& writer) = 0;
};

class Dispatcher {
 public:
  // Whether a request may be answered at all; an error is the answer.
  using Admission = std::function<Result<void>(const Request&)>;

  // `router` outlives this and is not changed any more.
  Dispatcher(const Router& router, Admission admission);
  // `gatekeeper` outlives this as well.
  Dispatcher(const Router& router, Gatekeeper& gatekeeper);

  // Answers the request, whatever its handler does: one that throws, or answers nothing, gives a 500 and a
  // log line.
  net::awaitable<void> Handle(Request& request, ResponseWriter& writer) const;

 private:
  Router::Match FindRoute(Request& request) const;
  net::awaitable<void> Answer(Request& request, ResponseWriter& writer, Router::Match& match) const;

  const Router& router_;
  const Admission admission_;  // empty: the gatekeeper's
  Gatekeeper* const gatekeeper_ = nullptr;
};

}  // namespace millrace::api
