// RocksDB over our own FileSystem, so that tests which lose power or fill the disk do it to the index as
// well.
#pragma once

#include <memory>

#include "storage/file_system.h"

namespace rocksdb {
class Env;
}

namespace millrace::storage {

// `files` outlives the environment.
std::unique_ptr<rocksdb::Env> MakeRocksEnv(FileSystem& files);

}  // namespace millrace::storage
