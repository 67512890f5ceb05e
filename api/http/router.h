// Finds the handler of a request by method and path.
//
// Patterns: "/v1/cameras/{name}": a segment in braces takes any one segment that is not empty.
// "/console/{path...}" takes the rest, with its slashes, maybe nothing. A pattern with more literal segments
// in front wins.
//
// Threads: filled before the server starts, then read from any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"

namespace millrace::api {

class Router {
 public:
  // REQUIRES: the pattern is well formed and not yet there with this method.
  void Add(std::string method, std::string pattern, Handler handler);

  struct Match {
    const Handler* handler = nullptr;  // null: see `allow`
    std::string_view pattern;          // of the route, for metrics; empty: no route has this path
    std::string allow;                 // the methods that this path takes: "GET, HEAD, OPTIONS"
    PathParameters parameters;
  };
  // HEAD finds the handler of GET; the connection leaves the body out.
  Match Find(std::string_view method, const std::vector<std::string>& segments) const;

 private:
  struct Route {
    std::string pattern;
    std::vector<std::string> segments;
    std::map<std::string, Handler> handlers;  // by method
  };
  static bool Matches(const Route& route, const std::vector<std::string>& segments,
                      PathParameters& parameters);

  std::vector<Route> routes_;  // the most literal first
};

}  // namespace millrace::api
