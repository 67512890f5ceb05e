// Passes the messages of signaling channels on: from a viewer to the master, from the master to the viewer it
// names.
//
// A channel has one master, and a viewer by each client id: the newest connection takes the place of the one
// before, which is told that it ended. What is for somebody who is not there waits for the channel's message
// lifetime; a newer offer of a viewer takes the place of its older one and of the candidates that belong to
// that.
//
// The server itself may be another end of a channel, for the master or for a viewer: its storage session with
// that client (storage_signaling.h). What a client sends to nobody by name, but for offers, is its storage
// session's where it has one; else the master's. A newer session takes the place of the one before.
//
// Bounds:  viewers of a channel, storage sessions that are joined a second, messages that wait for one end,
//          and for all that are not there (the newest are refused).
// Threads: any. `ready` runs on the sender's thread, under no lock: it hands over and returns.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/aws/token_bucket.h"
#include "api/signaling/signaling_message.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

class SignalingHub {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Limits {
    std::size_t viewers_max = 100;       // of one channel
    std::size_t inbox_max = 200;         // messages for one end that it has not taken yet
    std::size_t waiting_max = 50;        // of one sender for one end that is not there
    std::size_t channel_max = 500;       // for ends that are not there, of one channel
    std::size_t held_max = 5'000;        // messages for ends that are not there, of all channels
    std::uint64_t joins_per_second = 2;  // of storage sessions, of one channel; and as many at once
  };
  struct ChannelKey {
    std::string name;
    Timestamp created;
    auto operator<=>(const ChannelKey&) const = default;
  };

  // A message on its way: `sender` as it is told to the recipient.
  struct Message {
    ClientSignal signal;
    std::string sender;
  };

  // One end of a channel. Leaves when the last owner lets go.
  class Member {
   public:
    Member(SignalingHub& hub, ChannelKey key, std::string client_id, bool storage,
           std::function<void()> ready)
        : hub_(hub),
          key_(std::move(key)),
          client_id_(std::move(client_id)),
          storage_(storage),
          ready_(std::move(ready)) {}
    ~Member() { hub_.Leave(*this); }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    bool master() const { return client_id_.empty() && !storage_; }
    // "" for the master; of a storage session, its client's.
    const std::string& client_id() const { return client_id_; }
    struct Taken {
      std::vector<Message> messages;  // since the last call, oldest first
      bool closed = false;            // the channel was deleted, or is not recorded any more
      bool ended = false;             // that, or another one took this one's place
    };
    Taken Take();
    bool ended() const;

   private:
    friend class SignalingHub;
    SignalingHub& hub_;
    const ChannelKey key_;
    const std::string client_id_;
    const bool storage_;
    const std::function<void()> ready_;
    // GUARDED_BY(hub_.mutex_)
    std::deque<Message> inbox_;
    bool ended_ = false;
    bool closed_ = false;
  };
  using MemberPtr = std::shared_ptr<Member>;

  // The hub outlives its members.
  SignalingHub() : SignalingHub(Limits()) {}
  explicit SignalingHub(Limits limits) : limits_(limits) {}

  // `client_id` "": the master. Errors: kResourceExhausted: viewers_max.
  Result<MemberPtr> Join(const ChannelKey& key, const std::string& client_id, Duration message_ttl,
                         std::function<void()> ready);
  // The server's storage session with this client. Errors: kResourceExhausted: joins_per_second.
  Result<MemberPtr> JoinStorage(const ChannelKey& key, const std::string& client_id, Duration message_ttl,
                                std::function<void()> ready,
                                TimePoint now = std::chrono::steady_clock::now());
  // Passes a message on. Errors, in the words of the service: kInvalidArgument: a master that names no
  // viewer, a viewer that names one; kResourceExhausted: too many wait there.
  Result<void> Send(const Member& from, const ClientSignal& signal,
                    TimePoint now = std::chrono::steady_clock::now());
  // Ends all that are connected, and forgets what waits.
  void EndChannel(const ChannelKey& key);
  // Ends the storage sessions, those that others took the place of included.
  void EndStorage(const ChannelKey& key);

 private:
  struct Waiting {
    TimePoint until;
    Message message;
    bool of_storage = false;
  };
  using Members = std::map<std::string, std::weak_ptr<Member>>;  // by client id; "": the master
  struct Channel {
    Duration message_ttl{0};
    Members members;
    Members storage;                                     // the newest session with each
    std::vector<std::weak_ptr<Member>> former_storage;   // that may still be connected
    std::map<std::string, std::deque<Waiting>> waiting;  // for those who are not there
    std::optional<TokenBucket> joins;                    // of storage sessions

    // Nobody uses it, and nothing is left of how often it was joined.
    bool IsOver(const Limits& limits, TimePoint now) {
      return members.empty() && storage.empty() && former_storage.empty() && waiting.empty() &&
             (!joins || joins->Has(limits.joins_per_second, now));
    }
  };

  void Leave(const Member& member);
  // Drops what waited too long, and channels that are over; gives how many messages still wait.
  std::size_t Sweep(TimePoint now);
  Result<void> Keep(Channel& channel, const std::string& recipient, Waiting waiting, TimePoint now);
  static void DropStorageOffers(Channel& channel, const std::string& client_id);
  // Gives those that are to be told.
  static std::vector<MemberPtr> CloseStorage(Channel& channel);

  const Limits limits_;
  std::mutex mutex_;
  std::map<ChannelKey, Channel> channels_;  // GUARDED_BY(mutex_); those that are not over
};

}  // namespace millrace::api
