// Goal: an ICE server whose name is being looked up, for however long that takes, delays neither an answer
// nor a close. Method: this program's own getaddrinfo, which GLib calls, does not answer for one name until
// the test says so.
#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <mutex>
#include <string_view>

#include "media/webrtc/webrtc_sessions.h"
#include "tests/media/webrtc/webrtc_ends.h"
#include "tests/wait.h"

namespace millrace::test {
namespace {

constexpr std::string_view kSlowName = "slow.invalid";

// The lookups of that name.
struct Lookups {
  std::mutex mutex;
  std::condition_variable changed;
  int begun = 0;
  int done = 0;
  bool held = true;
};
Lookups& Slow() {
  static Lookups lookups;
  return lookups;
}

TEST(NameServerTest, ACloseDoesNotWaitForIt) {
  {
    const std::lock_guard lock(Slow().mutex);
    Slow().begun = Slow().done = 0;
    Slow().held = true;
  }
  WebrtcSettings settings;
  settings.addresses = {"127.0.0.1"};
  settings.stun_servers = {"stun:slow.invalid:3478"};
  settings.turn_servers = {{"turn:slow.invalid:3478?transport=udp", "ann", "secret"}};
  WebrtcTimes times = PatientTimes();
  times.gathering_max = WebrtcTimes().gathering_max;  // which the lookup would hold up
  {
    WebrtcSessions sessions(4);
    Peer peer;
    const auto offer = SdpOffer::Read(peer.Offer(), {.receive = true, .video = {{Codec::kVp8}}, .audio = {}});
    ASSERT_TRUE(offer) << offer.error().message;
    std::atomic<bool> answered = false;
    const auto name = sessions.Open(std::make_shared<CountingSession>(settings, times, "door"), *offer,
                                    [&](Result<std::string> answer) { answered = answer.has_value(); });
    ASSERT_TRUE(name);
    ASSERT_TRUE(WaitUntil([] {
      const std::lock_guard lock(Slow().mutex);
      return Slow().begun > 0;
    }));
    ASSERT_TRUE(WaitUntil([&] { return answered.load(); }));
    ASSERT_TRUE(sessions.Remove("door", *name));
    EXPECT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
    const std::lock_guard lock(Slow().mutex);
    EXPECT_EQ(Slow().done, 0);
    Slow().held = false;
    Slow().changed.notify_all();
  }
  // What the lookups held is let go before the next test, and the leak check, look.
  EXPECT_TRUE(WaitUntil([] {
    const std::lock_guard lock(Slow().mutex);
    return Slow().done == Slow().begun;
  }));
}

}  // namespace

int HoldLookup() {
  Lookups& slow = Slow();
  std::unique_lock lock(slow.mutex);
  ++slow.begun;
  slow.changed.wait(lock, [&] { return !slow.held; });
  ++slow.done;
  return EAI_AGAIN;
}
// A numeric address is read without asking anybody.
bool IsSlow(const char* name, const addrinfo* hints) {
  return name != nullptr && name == kSlowName &&
         (hints == nullptr || (hints->ai_flags & AI_NUMERICHOST) == 0);
}

}  // namespace millrace::test

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  if (millrace::test::IsSlow(name, hints)) return millrace::test::HoldLookup();
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(name, service, hints, found);
}
