// Owners of C libraries' handles: std::unique_ptr<X509, ReleasedBy<X509_free>>.
#pragma once

namespace millrace {

template <auto Release>
struct ReleasedBy {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Release(handle);
  }
};

}  // namespace millrace
