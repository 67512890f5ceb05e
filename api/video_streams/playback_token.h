// A playback session as its addresses carry it: sealed (wire/sealed_token.h) and spelled so that no query
// needs to escape it, "…~" where base64 has "=". It says all of the session, and nobody else can make one up
// or change it: who has it may play what it names until it expires, so it is a secret.
//
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "consumers/playback/playback_session.h"
#include "wire/sealed_token.h"

namespace millrace::api {

std::string SealPlaybackToken(const wire::TokenSealer& sealer, const PlaybackSession& session);

// Errors: kPermissionDenied: none, not one of this server's or of this protocol, or expired.
Result<PlaybackSession> OpenPlaybackToken(const wire::TokenSealer& sealer, std::string_view token,
                                          PlaybackProtocol protocol, Timestamp now);

}  // namespace millrace::api
