// One request from arrival to answer, whatever carried it: who may call, the route, the handler, counting,
// the log.
//
// Threads: Handle on the request's connection; any number at once.
#pragma once

#include "api/http.h"
#include "api/router.h"

namespace millrace::api {

class Dispatcher {
 public:
  // Whether a request may be answered at all; an error is the answer.
  using Admission = std::function<Result<void>(const Request&)>;

  // `router` outlives this and is not changed any more.
  Dispatcher(const Router& router, Admission admission);

  // Answers the request, whatever its handler does: one that throws, or answers nothing, gives a 500 and a
  // log line.
  net::awaitable<void> Handle(Request& request, ResponseWriter& writer) const;

 private:
  net::awaitable<void> Answer(Request& request, ResponseWriter& writer, Router::Match& match) const;

  const Router& router_;
  const Admission admission_;
};

}  // namespace millrace::api
