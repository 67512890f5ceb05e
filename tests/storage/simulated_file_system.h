// A file system in memory that loses power, fails, fills up and stalls on demand.
//
// It keeps for every file what is on the disk and what is only written, and for every directory which names
// are. Power loss at the n-th call: that call is half done, every later one fails, and Crash() gives the disk
// as the next start finds it: of what was not synced, any part may be there, in any order, torn at any byte.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "storage/file_system.h"

namespace millrace::storage {

enum class FileCall {
  kWrite,
  kSync,
  kSyncDirectory,
  kTruncate,
  kPunch,
  kCreate,
  kRemove,
  kRename,
  kMakeDirectory
};

// What becomes of the unsynced writes.
enum class LossMode {
  kDropAll,     // none of it reached the disk
  kKeepAll,     // all of it did
  kTornPrefix,  // the first ones did, the last of these up to some byte
  kSectors,     // each sector of 512 bytes on its own
  kBlocks,      // each block of 4 KiB on its own
};

class SimulatedFileSystem final : public FileSystem {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  SimulatedFileSystem();
  ~SimulatedFileSystem() override;

  // -- faults. Calls are counted from 0; only those that change something count.
  std::uint64_t calls() const;
  void LosePowerAt(std::uint64_t call);
  bool power_lost() const;
  // What the next start finds. The random choices depend on `seed` alone.
  std::unique_ptr<SimulatedFileSystem> Crash(LossMode mode, std::uint64_t seed) const;
  // `fault` is asked before every call with its path; an error that it gives is the call's. A failed write
  // has written half; a failed sync has lost what it should have synced, and the cache says otherwise (as
  // Linux does it).
  void SetFault(std::function<std::optional<Error>(FileCall, const std::string& path)> fault);
  // Called before every write and sync of a file, without a lock: a disk that stalls does not return from it.
  void SetStall(std::function<void(FileCall)> stall);
  // Bytes that the disk has; writes beyond get kNoSpace.
  void SetCapacity(std::uint64_t bytes);
  // What others on the disk take of the capacity.
  void SetOthers(std::uint64_t bytes);
  // The next changes fail, as on a disk that was remounted so after an error.
  void SetReadOnly(bool read_only);
  std::uint64_t UsedBytes() const;

  // -- looking and damaging, for tests. `change` gets the bytes as they are on the disk and in the cache.
  void Damage(const std::string& path, const std::function<void(Bytes&)>& change);
  bool Has(const std::string& path) const;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Result<void> CreateDirectory(const std::string& path) override;
  Result<void> SyncDirectory(const std::string& path) override;
  Result<void> Remove(const std::string& path) override;
  Result<void> RemoveDirectory(const std::string& path) override;
  Result<void> Rename(const std::string& from, const std::string& to) override;
  Result<std::vector<DirectoryEntry>> List(const std::string& directory) override;
  Result<bool> Exists(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  Result<DiskSpace> Space(const std::string& path) override;

 private:
  friend class SimulatedFile;
  friend class SimulatedLock;

  struct Change {
    enum Kind { kWrite, kTruncate, kPunch } kind;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    Bytes bytes;
  };
  struct Inode {
    bool directory = false;
    Bytes durable;
    Bytes current;
    std::vector<Change> pending;
    std::set<std::uint64_t> holes;  // blocks
  };
  using InodePtr = std::shared_ptr<Inode>;
  // path: the name; inode: what it names afterwards, null when the name is gone.
  struct NameChange {
    std::string directory;
    std::vector<std::pair<std::string, InodePtr>> names;  // made together (a rename is two)
  };

  void Stall(FileCall call);
  // The rest with mutex_ held.
  Result<void> Count(FileCall call, const std::string& path, bool* half = nullptr);
  static void Apply(Bytes& bytes, const Change& change);
  Result<void> Mutate(FileCall call, const std::string& path, Inode& inode, Change change);
  void Name(std::string directory, std::vector<std::pair<std::string, InodePtr>> names);
  std::uint64_t UsedLocked() const;

  mutable std::mutex mutex_;
  std::map<std::string, InodePtr> names_;          // as programs see it
  std::map<std::string, InodePtr> durable_names_;  // as the disk has it
  std::vector<NameChange> pending_names_;
  std::set<std::string> locks_;
  std::uint64_t calls_ = 0;
  std::uint64_t power_off_at_ = kNever;
  bool power_lost_ = false;
  std::uint64_t capacity_ = kNever;
  std::uint64_t others_ = 0;
  bool read_only_ = false;
  std::function<std::optional<Error>(FileCall, const std::string&)> fault_;
  std::function<void(FileCall)> stall_;
};

}  // namespace millrace::storage
