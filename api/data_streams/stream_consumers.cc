#include "api/data_streams/stream_consumers.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace millrace::api {
namespace {

constexpr char kConsumersPrefix[] = "api/stream-consumers/";
constexpr std::int64_t kConsumerVersion = 1;

std::string KeyOf(const StreamConsumer& consumer) {
  return kConsumersPrefix + consumer.stream + "/" + consumer.name;
}

std::string Text(const boost::json::value& value) {
  return {value.as_string().data(), value.as_string().size()};
}

StreamConsumer DecodeConsumer(const boost::json::object& object) {
  StreamConsumer consumer;
  consumer.stream = Text(object.at("stream"));
  consumer.stream_created = Timestamp{object.at("stream_created_ns").as_int64()};
  consumer.name = Text(object.at("name"));
  consumer.created = Timestamp::FromSeconds(object.at("created_s").as_int64());
  for (const auto& tag : object.at("tags").as_object()) {
    consumer.tags.emplace(std::string(tag.key().data(), tag.key().size()), Text(tag.value()));
  }
  consumer.policy = Text(object.at("policy"));
  return consumer;
}

Error NoSuchConsumer(const StreamConsumer& consumer) {
  return {ErrorCode::kNotFound,
          "consumer '" + consumer.name + "' of stream '" + consumer.stream + "' is gone"};
}

}  // namespace

std::string EncodeStreamConsumer(const StreamConsumer& consumer) {
  boost::json::object tags;
  for (const auto& [key, value] : consumer.tags) tags[key] = value;
  boost::json::object object;
  object["version"] = kConsumerVersion;
  object["stream"] = consumer.stream;
  object["stream_created_ns"] = consumer.stream_created.ns;
  object["name"] = consumer.name;
  object["created_s"] = consumer.created.seconds();
  object["tags"] = std::move(tags);
  object["policy"] = consumer.policy;
  return boost::json::serialize(object);
}

Result<StreamConsumer> DecodeStreamConsumer(std::string_view json) {
  boost::system::error_code ec;
  const boost::json::value value = boost::json::parse(boost::json::string_view(json.data(), json.size()), ec);
  try {
    if (ec) return Error{ErrorCode::kCorruption, "a stream's consumer is not JSON: " + ec.message()};
    const boost::json::object& object = value.as_object();
    if (object.at("version").to_number<std::int64_t>() > kConsumerVersion) {
      return Error{ErrorCode::kUnsupported, "a stream's consumer was written by a newer version"};
    }
    return DecodeConsumer(object);
  } catch (const std::exception& e) {
    return Error{ErrorCode::kCorruption, std::string("a stream's consumer is damaged: ") + e.what()};
  }
}

Result<std::unique_ptr<StreamConsumers>> StreamConsumers::Open(storage::RecordLog& log) {
  std::unique_ptr<StreamConsumers> consumers(new StreamConsumers(log));
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log.ListMetadata(kConsumersPrefix));
  for (const storage::MetadataEntry& entry : entries) {
    auto consumer = DecodeStreamConsumer(AsText(entry.value));
    if (!consumer) return WithContext(std::move(consumer).error(), entry.key);
    const auto stream = log.DescribeStream(consumer->stream);
    if (!stream || stream->created != consumer->stream_created) {
      if (!stream && stream.error().code != ErrorCode::kNotFound) return stream.error();
      MILLRACE_RETURN_IF_ERROR(log.DeleteMetadata(entry.key));
      continue;
    }
    Key key{consumer->stream, consumer->name};
    consumers->consumers_.emplace(std::move(key), std::move(*consumer));
  }
  return consumers;
}

Result<void> StreamConsumers::Save(const StreamConsumer& consumer) {
  const std::string encoded = EncodeStreamConsumer(consumer);
  MILLRACE_ASSIGN_OR_RETURN(const auto version,
                            log_.PutMetadata(KeyOf(consumer), Bytes(encoded.begin(), encoded.end())));
  (void)version;
  const std::lock_guard lock(mutex_);
  consumers_.insert_or_assign({consumer.stream, consumer.name}, consumer);
  return {};
}

Result<StreamConsumer> StreamConsumers::Register(StreamConsumer consumer, Timestamp now,
                                                 std::size_t count_max) {
  const std::lock_guard control(control_mutex_);
  if (Find(consumer.stream, consumer.stream_created, consumer.name)) {
    return Error{ErrorCode::kAlreadyExists, "consumer '" + consumer.name + "' exists already"};
  }
  if (Count(consumer.stream, consumer.stream_created) >= count_max) {
    return Error{ErrorCode::kResourceExhausted,
                 "stream '" + consumer.stream + "' has as many registered consumers as it may"};
  }
  const auto gone = removed_s_.find({consumer.stream, consumer.name});
  const std::int64_t earliest = gone == removed_s_.end() ? 0 : gone->second + 1;
  consumer.created = Timestamp::FromSeconds(std::max(now.seconds(), earliest));
  // Times that have passed need not be remembered.
  std::erase_if(removed_s_, [&](const auto& one) { return one.second < now.seconds(); });
  MILLRACE_RETURN_IF_ERROR(Save(consumer));
  return consumer;
}

Result<StreamConsumer> StreamConsumers::Change(const StreamConsumer& consumer,
                                               const std::function<void(StreamConsumer&)>& change) {
  const std::lock_guard control(control_mutex_);
  auto found = Find(consumer.stream, consumer.stream_created, consumer.name);
  if (!found || found->created != consumer.created) return NoSuchConsumer(consumer);
  change(*found);
  MILLRACE_RETURN_IF_ERROR(Save(*found));
  return std::move(*found);
}

Result<void> StreamConsumers::Deregister(const StreamConsumer& consumer) {
  const std::lock_guard control(control_mutex_);
  const auto found = Find(consumer.stream, consumer.stream_created, consumer.name);
  if (!found || found->created != consumer.created) return NoSuchConsumer(consumer);
  MILLRACE_RETURN_IF_ERROR(log_.DeleteMetadata(KeyOf(consumer)));
  removed_s_[{consumer.stream, consumer.name}] = consumer.created.seconds();
  const std::lock_guard lock(mutex_);
  consumers_.erase({consumer.stream, consumer.name});
  return {};
}

Result<std::vector<StreamConsumer>> StreamConsumers::RemoveAll(const std::string& stream,
                                                               Timestamp stream_created) {
  std::vector<StreamConsumer> removed = List(stream, stream_created);
  for (const StreamConsumer& consumer : removed) {
    auto gone = Deregister(consumer);
    if (!gone && gone.error().code != ErrorCode::kNotFound) return std::move(gone).error();
  }
  return removed;
}

std::optional<StreamConsumer> StreamConsumers::Find(const std::string& stream, Timestamp stream_created,
                                                    const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = consumers_.find({stream, name});
  if (found == consumers_.end() || found->second.stream_created != stream_created) return std::nullopt;
  return found->second;
}

std::vector<StreamConsumer> StreamConsumers::List(const std::string& stream, Timestamp stream_created) const {
  std::vector<StreamConsumer> list;
  const std::lock_guard lock(mutex_);
  for (auto at = consumers_.lower_bound({stream, ""}); at != consumers_.end() && at->first.first == stream;
       ++at) {
    if (at->second.stream_created == stream_created) list.push_back(at->second);
  }
  return list;
}

std::size_t StreamConsumers::Count(const std::string& stream, Timestamp stream_created) const {
  return List(stream, stream_created).size();
}

}  // namespace millrace::api
