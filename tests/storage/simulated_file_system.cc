#include "tests/storage/simulated_file_system.h"

#include <algorithm>
#include <utility>

namespace millrace::storage {
namespace {

std::string ParentOf(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

// RocksDB writes "/a//b" and "/a/".
std::string Normal(const std::string& path) {
  std::string normal;
  for (char c : path) {
    if (c != '/' || normal.empty() || normal.back() != '/') normal.push_back(c);
  }
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

Error PowerIsOff() { return Error{ErrorCode::kIo, "the power is off"}; }
Error NotFound(const std::string& path) { return Error{ErrorCode::kNotFound, path + ": no such file"}; }

}  // namespace

class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedFileSystem& files, std::string path, SimulatedFileSystem::InodePtr inode)
      : files_(files), path_(std::move(path)), inode_(std::move(inode)) {}

  Result<void> WriteAt(std::uint64_t offset, std::span<const ByteSpan> parts) override {
    SimulatedFileSystem::Change change{SimulatedFileSystem::Change::kWrite, offset, 0, {}};
    for (ByteSpan part : parts) change.bytes.insert(change.bytes.end(), part.begin(), part.end());
    change.length = change.bytes.size();
    files_.Stall(FileCall::kWrite);
    std::lock_guard lock(files_.mutex_);
    return files_.Mutate(FileCall::kWrite, path_, *inode_, std::move(change));
  }
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) override {
    std::lock_guard lock(files_.mutex_);
    if (files_.power_lost_) return PowerIsOff();
    if (offset >= inode_->current.size()) return std::size_t{0};
    std::size_t size =
        std::min<std::size_t>(out.size(), inode_->current.size() - static_cast<std::size_t>(offset));
    std::copy_n(inode_->current.begin() + static_cast<std::ptrdiff_t>(offset), size, out.begin());
    return size;
  }
  Result<void> Sync() override {
    files_.Stall(FileCall::kSync);
    std::lock_guard lock(files_.mutex_);
    auto counted = files_.Count(FileCall::kSync, path_);
    if (!counted) {
      // The cache calls the pages clean, and the disk does not have them.
      if (!files_.power_lost_) inode_->pending.clear();
      return counted;
    }
    if (files_.power_lost_) return PowerIsOff();
    inode_->durable = inode_->current;
    inode_->pending.clear();
    return {};
  }
  Result<void> Truncate(std::uint64_t size) override {
    std::lock_guard lock(files_.mutex_);
    return files_.Mutate(FileCall::kTruncate, path_, *inode_,
                         {SimulatedFileSystem::Change::kTruncate, size, 0, {}});
  }
  Result<void> PunchHole(std::uint64_t offset, std::uint64_t length) override {
    std::lock_guard lock(files_.mutex_);
    return files_.Mutate(FileCall::kPunch, path_, *inode_,
                         {SimulatedFileSystem::Change::kPunch, offset, length, {}});
  }
  Result<void> Allocate(std::uint64_t size) override {
    std::uint64_t had = 0;
    {
      std::lock_guard lock(files_.mutex_);
      had = inode_->current.size();
    }
    if (size <= had) return {};
    const Bytes zeros(static_cast<std::size_t>(size - had));
    ByteSpan part(zeros);
    return WriteAt(had, std::span(&part, 1));
  }
  Result<std::uint64_t> Size() override {
    std::lock_guard lock(files_.mutex_);
    return std::uint64_t{inode_->current.size()};
  }
  Result<std::uint64_t> AllocatedBytes() override {
    std::lock_guard lock(files_.mutex_);
    std::uint64_t blocks = (inode_->current.size() + kBlockBytes - 1) / kBlockBytes;
    return (blocks - std::min<std::uint64_t>(blocks, inode_->holes.size())) * kBlockBytes;
  }

 private:
  SimulatedFileSystem& files_;
  const std::string path_;
  const SimulatedFileSystem::InodePtr inode_;
};

class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(SimulatedFileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  ~SimulatedLock() override {
    std::lock_guard lock(files_.mutex_);
    files_.locks_.erase(path_);
  }
  SimulatedLock(const SimulatedLock&) = delete;
  SimulatedLock& operator=(const SimulatedLock&) = delete;

 private:
  SimulatedFileSystem& files_;
  const std::string path_;
};

SimulatedFileSystem::SimulatedFileSystem() {
  auto root = std::make_shared<Inode>();
  root->directory = true;
  names_["/"] = root;
  durable_names_["/"] = root;
}

SimulatedFileSystem::~SimulatedFileSystem() = default;

std::uint64_t SimulatedFileSystem::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

void SimulatedFileSystem::LosePowerAt(std::uint64_t call) {
  std::lock_guard lock(mutex_);
  power_off_at_ = call;
}

bool SimulatedFileSystem::power_lost() const {
  std::lock_guard lock(mutex_);
  return power_lost_;
}

void SimulatedFileSystem::SetFault(std::function<std::optional<Error>(FileCall, const std::string&)> fault) {
  std::lock_guard lock(mutex_);
  fault_ = std::move(fault);
}

void SimulatedFileSystem::SetStall(std::function<void(FileCall)> stall) {
  std::lock_guard lock(mutex_);
  stall_ = std::move(stall);
}

void SimulatedFileSystem::Stall(FileCall call) {
  std::function<void(FileCall)> stall;
  {
    std::lock_guard lock(mutex_);
    stall = stall_;
  }
  if (stall) stall(call);
}

void SimulatedFileSystem::SetCapacity(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void SimulatedFileSystem::SetOthers(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  others_ = bytes;
}

void SimulatedFileSystem::SetReadOnly(bool read_only) {
  std::lock_guard lock(mutex_);
  read_only_ = read_only;
}

std::uint64_t SimulatedFileSystem::UsedBytes() const {
  std::lock_guard lock(mutex_);
  return UsedLocked();
}

std::uint64_t SimulatedFileSystem::UsedLocked() const {
  std::uint64_t used = 0;
  for (const auto& [path, inode] : names_) {
    std::uint64_t blocks = (inode->current.size() + kBlockBytes - 1) / kBlockBytes;
    used += (blocks - std::min<std::uint64_t>(blocks, inode->holes.size())) * kBlockBytes;
  }
  return used;
}

bool SimulatedFileSystem::Has(const std::string& path) const {
  std::lock_guard lock(mutex_);
  return names_.contains(path);
}

void SimulatedFileSystem::Damage(const std::string& path, const std::function<void(Bytes&)>& change) {
  std::lock_guard lock(mutex_);
  Inode& inode = *names_.at(path);
  change(inode.current);
  inode.durable = inode.current;
  inode.pending.clear();
}

// `half`: set when this call is the one in which the power goes.
Result<void> SimulatedFileSystem::Count(FileCall call, const std::string& path, bool* half) {
  if (power_lost_) return PowerIsOff();
  if (calls_++ == power_off_at_) {
    power_lost_ = true;
    if (half == nullptr) return PowerIsOff();
    *half = true;
  }
  if (read_only_) return Error{ErrorCode::kIo, path + ": read-only file system"};
  if (fault_) {
    if (auto error = fault_(call, path)) {
      if (half != nullptr) *half = true;
      return *error;
    }
  }
  return {};
}

void SimulatedFileSystem::Apply(Bytes& bytes, const Change& change) {
  switch (change.kind) {
    case Change::kWrite:
      if (bytes.size() < change.offset + change.length) bytes.resize(change.offset + change.length);
      std::copy(change.bytes.begin(), change.bytes.end(),
                bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
      break;
    case Change::kTruncate:
      bytes.resize(change.offset);
      break;
    case Change::kPunch:
      for (std::uint64_t i = change.offset; i < change.offset + change.length && i < bytes.size(); ++i)
        bytes[i] = 0;
      break;
  }
}

Result<void> SimulatedFileSystem::Mutate(FileCall call, const std::string& path, Inode& inode,
                                         Change change) {
  bool half = false;
  auto counted = Count(call, path, &half);
  if (counted && change.kind == Change::kWrite && capacity_ != kNever) {
    std::uint64_t grows =
        std::max<std::uint64_t>(inode.current.size(), change.offset + change.length) - inode.current.size();
    // What a file has already can be written over on the fullest disk; a hole has to be filled first.
    const auto filled = std::ranges::count_if(inode.holes, [&](std::uint64_t block) {
      return block >= change.offset / kBlockBytes && block * kBlockBytes < change.offset + change.length;
    });
    grows += static_cast<std::uint64_t>(filled) * kBlockBytes;
    if (grows > 0 && UsedLocked() + others_ + grows > capacity_) {
      half = true;
      counted = Error{ErrorCode::kNoSpace, "writing " + path + ": no space left"};
    }
  }
  if (!counted && !half) return counted;
  if (half && !power_lost_ && change.kind == Change::kWrite) {
    change.bytes.resize(change.bytes.size() / 2);
    change.length = change.bytes.size();
  }
  // When the power goes in this call, how much of it reaches the disk is decided with the rest.
  if (!half || change.kind == Change::kWrite || power_lost_) {
    Apply(inode.current, change);
    if (change.kind == Change::kPunch) {
      for (std::uint64_t at = change.offset; at < change.offset + change.length; at += kBlockBytes) {
        inode.holes.insert(at / kBlockBytes);
      }
    } else {
      for (auto it = inode.holes.begin(); it != inode.holes.end();) {
        bool written = change.kind == Change::kWrite && *it >= change.offset / kBlockBytes &&
                       *it * kBlockBytes < change.offset + change.length;
        it = written || *it * kBlockBytes >= inode.current.size() ? inode.holes.erase(it) : std::next(it);
      }
    }
    inode.pending.push_back(std::move(change));
  }
  if (power_lost_) return PowerIsOff();
  return counted;
}

void SimulatedFileSystem::Name(std::string directory, std::vector<std::pair<std::string, InodePtr>> names) {
  for (const auto& [path, inode] : names) {
    if (inode) {
      names_[path] = inode;
    } else {
      names_.erase(path);
    }
  }
  pending_names_.push_back({std::move(directory), std::move(names)});
}

Result<std::unique_ptr<File>> SimulatedFileSystem::Open(const std::string& given, OpenMode mode) {
  const std::string path = Normal(given);
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  auto found = names_.find(path);
  if (mode == OpenMode::kCreate) {
    if (found != names_.end()) return Error{ErrorCode::kAlreadyExists, path + ": exists"};
    bool half = false;
    auto counted = Count(FileCall::kCreate, path, &half);
    if (!counted) return std::move(counted).error();
    auto inode = std::make_shared<Inode>();
    Name(ParentOf(path), {{path, inode}});
    if (half) return PowerIsOff();
    return std::unique_ptr<File>(std::make_unique<SimulatedFile>(*this, path, inode));
  }
  if (found == names_.end() || found->second->directory) return NotFound(path);
  return std::unique_ptr<File>(std::make_unique<SimulatedFile>(*this, path, found->second));
}

Result<void> SimulatedFileSystem::CreateDirectory(const std::string& given) {
  const std::string path = Normal(given);
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  if (names_.contains(path)) return Error{ErrorCode::kAlreadyExists, path + ": exists"};
  bool half = false;
  MILLRACE_RETURN_IF_ERROR(Count(FileCall::kMakeDirectory, path, &half));
  auto inode = std::make_shared<Inode>();
  inode->directory = true;
  Name(ParentOf(path), {{path, inode}});
  return half ? Result<void>(PowerIsOff()) : Result<void>();
}

Result<void> SimulatedFileSystem::SyncDirectory(const std::string& given) {
  const std::string path = Normal(given);
  std::lock_guard lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Count(FileCall::kSyncDirectory, path));
  std::erase_if(pending_names_, [&](const NameChange& change) {
    if (change.directory != path) return false;
    for (const auto& [name, inode] : change.names) {
      if (inode) {
        durable_names_[name] = inode;
      } else {
        durable_names_.erase(name);
      }
    }
    return true;
  });
  return {};
}

Result<void> SimulatedFileSystem::Remove(const std::string& given) {
  const std::string path = Normal(given);
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  auto found = names_.find(path);
  if (found == names_.end() || found->second->directory) return NotFound(path);
  bool half = false;
  MILLRACE_RETURN_IF_ERROR(Count(FileCall::kRemove, path, &half));
  Name(ParentOf(path), {{path, nullptr}});
  return half ? Result<void>(PowerIsOff()) : Result<void>();
}

Result<void> SimulatedFileSystem::RemoveDirectory(const std::string& given) {
  const std::string path = Normal(given);
  std::lock_guard lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Count(FileCall::kRemove, path));
  Name(ParentOf(path), {{path, nullptr}});
  return {};
}

Result<void> SimulatedFileSystem::Rename(const std::string& given_from, const std::string& given_to) {
  const std::string from = Normal(given_from);
  const std::string to = Normal(given_to);
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  auto found = names_.find(from);
  if (found == names_.end()) return NotFound(from);
  bool half = false;
  MILLRACE_RETURN_IF_ERROR(Count(FileCall::kRename, from, &half));
  Name(ParentOf(to), {{from, nullptr}, {to, found->second}});
  return half ? Result<void>(PowerIsOff()) : Result<void>();
}

Result<std::vector<DirectoryEntry>> SimulatedFileSystem::List(const std::string& given) {
  const std::string directory = Normal(given);
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  auto self = names_.find(directory);
  if (self == names_.end() || !self->second->directory) return NotFound(directory);
  std::string prefix = directory == "/" ? "/" : directory + "/";
  std::vector<DirectoryEntry> entries;
  for (auto it = names_.upper_bound(prefix); it != names_.end() && it->first.starts_with(prefix); ++it) {
    std::string name = it->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) entries.push_back({name, it->second->directory});
  }
  return entries;
}

Result<bool> SimulatedFileSystem::Exists(const std::string& given) {
  const std::string path = Normal(given);
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  return names_.contains(path);
}

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::Lock(const std::string& given) {
  const std::string path = Normal(given);
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  if (!locks_.insert(path).second)
    return Error{ErrorCode::kFailedPrecondition, path + " is in use by process 1"};
  if (!names_.contains(path)) Name(ParentOf(path), {{path, std::make_shared<Inode>()}});
  return std::unique_ptr<FileLock>(std::make_unique<SimulatedLock>(*this, path));
}

Result<DiskSpace> SimulatedFileSystem::Space(const std::string&) {
  std::lock_guard lock(mutex_);
  if (power_lost_) return PowerIsOff();
  constexpr std::uint64_t kLarge = std::uint64_t{1} << 40;
  std::uint64_t used = UsedLocked() + others_;
  std::uint64_t total = capacity_ == kNever ? kLarge : capacity_;
  return DiskSpace{total, total > used ? total - used : 0, read_only_};
}

std::unique_ptr<SimulatedFileSystem> SimulatedFileSystem::Crash(LossMode mode, std::uint64_t seed) const {
  std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  auto below = [&](std::uint64_t limit) { return limit == 0 ? 0 : random() % limit; };

  // Names: those of a directory reach the disk in order, up to some point.
  std::map<std::string, InodePtr> names = durable_names_;
  std::map<std::string, bool> stopped;
  for (const NameChange& change : pending_names_) {
    bool& stop = stopped[change.directory];
    if (mode == LossMode::kDropAll) stop = true;
    if (mode != LossMode::kKeepAll && below(3) == 0) stop = true;
    if (stop) continue;
    for (const auto& [path, inode] : change.names) {
      if (inode) {
        names[path] = inode;
      } else {
        names.erase(path);
      }
    }
  }

  auto disk = std::make_unique<SimulatedFileSystem>();
  std::map<const Inode*, InodePtr> copies;
  for (const auto& [path, inode] : names) {
    if (path == "/") continue;
    if (!names.contains(ParentOf(path))) continue;  // its directory did not make it
    InodePtr& copy = copies[inode.get()];
    if (!copy) {
      copy = std::make_shared<Inode>();
      copy->directory = inode->directory;
      copy->durable = inode->durable;
      std::size_t kept =
          mode == LossMode::kTornPrefix ? below(inode->pending.size() + 1) : inode->pending.size();
      for (std::size_t i = 0; i < inode->pending.size(); ++i) {
        const Change& change = inode->pending[i];
        if (mode == LossMode::kDropAll) break;
        if (mode == LossMode::kKeepAll || (mode == LossMode::kTornPrefix && i < kept)) {
          Apply(copy->durable, change);
        } else if (mode == LossMode::kTornPrefix) {
          if (i == kept && change.kind == Change::kWrite) {
            Change torn = change;
            torn.length = below(change.length + 1);
            torn.bytes.resize(torn.length);
            Apply(copy->durable, torn);
          }
          break;
        } else if (change.kind != Change::kWrite) {
          if (below(2) == 0) Apply(copy->durable, change);
        } else {
          std::uint64_t unit = mode == LossMode::kSectors ? 512 : 4096;
          for (std::uint64_t at = 0; at < change.length;) {
            std::uint64_t length = std::min(unit - (change.offset + at) % unit, change.length - at);
            if (below(2) == 0) {
              auto first = change.bytes.begin() + static_cast<std::ptrdiff_t>(at);
              Apply(copy->durable, {Change::kWrite, change.offset + at, length,
                                    Bytes(first, first + static_cast<std::ptrdiff_t>(length))});
            }
            at += length;
          }
        }
      }
      copy->current = copy->durable;
    }
    disk->names_[path] = copy;
    disk->durable_names_[path] = copy;
  }
  return disk;
}

}  // namespace millrace::storage
