// What each route is to access control: whose protocol it speaks, the action and the resource, and how its
// handler reads the body. One table, so that no route can be forgotten: what has no rule is refused.
//
// Threads: pure values and functions, any thread.
#pragma once

#include <span>
#include <string_view>

namespace millrace::api {

enum class Door {
  kOpen,          // nothing is asked: the console's files, liveness, logging in
  kDataStreams,   // Kinesis Data Streams: the operation says action and resource
  kVideoStreams,  // Kinesis Video Streams: the handler knows the resource
  kOwn,           // our own paths
  kToken,         // a token in the address: the handler asks for nothing else, whatever page sends it
};

enum class BodyUse {
  kNone,      // the handler reads none
  kWhole,     // it reads it to the end before it does anything
  kStreamed,  // it acts on the body while it comes: the signature must hold without it
};

struct AccessRule {
  std::string_view method;
  std::string_view pattern;  // the route's
  Door door = Door::kOpen;
  BodyUse body = BodyUse::kNone;
  std::string_view action;    // "millrace:GetCamera"
  std::string_view resource;  // of our own paths: "camera/{name}", of the action's service; "*": none
};

// Null: there is none. `method` HEAD counts as GET.
const AccessRule* FindAccessRule(std::string_view method, std::string_view pattern);
std::span<const AccessRule> AccessRules();

}  // namespace millrace::api
