#include "api/http/self_signed.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include "base/log.h"
#include "base/private_file.h"
#include "base/released_by.h"

namespace millrace::api {
namespace {

constexpr std::chrono::hours kDay{24};
constexpr auto kValidity = 820 * kDay;
constexpr auto kRenewBefore = 60 * kDay;

using CertificatePtr = std::unique_ptr<X509, ReleasedBy<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, ReleasedBy<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, ReleasedBy<BIO_free_all>>;
using NumberPtr = std::unique_ptr<BIGNUM, ReleasedBy<BN_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, ReleasedBy<X509_EXTENSION_free>>;

bool IsAddress(const std::string& name) {
  return name.find(':') != std::string::npos || name.find_first_not_of("0123456789.") == std::string::npos;
}

// Whether the files are a pair for these names that lasts.
bool IsGood(const TlsFiles& files, const std::vector<std::string>& names, Timestamp now) {
  const BioPtr certificate_bio(BIO_new_file(files.certificate.c_str(), "r"));
  const BioPtr key_bio(BIO_new_file(files.key.c_str(), "r"));
  if (!certificate_bio || !key_bio) return false;
  const CertificatePtr certificate(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  char none[] = "";
  const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, none));
  if (!certificate || !key || X509_check_private_key(certificate.get(), key.get()) != 1) return false;
  std::time_t needed = static_cast<std::time_t>((now + kRenewBefore).seconds());
  if (X509_cmp_time(X509_get0_notAfter(certificate.get()), &needed) <= 0) return false;
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return IsAddress(name) ? X509_check_ip_asc(certificate.get(), name.c_str(), 0) == 1
                           : X509_check_host(certificate.get(), name.data(), name.size(), 0, nullptr) == 1;
  });
}

bool AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

CertificatePtr MakeCertificate(EVP_PKEY* key, const std::vector<std::string>& names, Timestamp now) {
  CertificatePtr certificate(X509_new());
  std::array<unsigned char, 16> serial{};
  if (!certificate || RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1) return nullptr;
  serial[0] &= 0x7f;  // positive
  const NumberPtr number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  X509* made = certificate.get();
  const auto seconds = [](std::chrono::nanoseconds duration) {
    return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
  };
  std::time_t start = static_cast<std::time_t>(now.seconds());
  std::string alternatives;
  for (const std::string& name : names) {
    alternatives += (alternatives.empty() ? "" : ",") + std::string(IsAddress(name) ? "IP:" : "DNS:") + name;
  }
  X509_NAME* subject = X509_get_subject_name(made);
  constexpr std::string_view kName = "millrace";
  const bool good =
      number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made)) != nullptr &&
      X509_set_version(made, X509_VERSION_3) == 1 &&
      // An hour back, for clients whose clock is behind.
      X509_time_adj(X509_getm_notBefore(made), -seconds(std::chrono::hours(1)), &start) != nullptr &&
      X509_time_adj(X509_getm_notAfter(made), seconds(kValidity), &start) != nullptr &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(kName.data()),
                                 static_cast<int>(kName.size()), -1, 0) == 1 &&
      X509_set_issuer_name(made, subject) == 1 && X509_set_pubkey(made, key) == 1 &&
      AddExtension(made, NID_basic_constraints, "critical,CA:FALSE") &&
      AddExtension(made, NID_key_usage, "critical,digitalSignature") &&
      AddExtension(made, NID_ext_key_usage, "serverAuth") &&
      AddExtension(made, NID_subject_alt_name, alternatives) && X509_sign(made, key, EVP_sha256()) != 0;
  return good ? std::move(certificate) : nullptr;
}

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

std::vector<std::string> LocalNames(const std::vector<std::string>& addresses) {
  std::vector<std::string> names{"localhost"};
  char host[HOST_NAME_MAX + 1] = "";
  // A name that could not stand in a URL does not help anybody here either.
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  if (::gethostname(host, sizeof(host) - 1) == 0) {
    const std::string name = host;
    if (!name.empty() && std::all_of(name.begin(), name.end(), is_plain) && !IsAddress(name) &&
        name != "localhost") {
      names.push_back(name);
    }
  }
  names.insert(names.end(), {"127.0.0.1", "::1"});
  for (const std::string& address : addresses) {
    const bool any = address == "0.0.0.0" || address == "::";
    if (!any && std::find(names.begin(), names.end(), address) == names.end()) names.push_back(address);
  }
  return names;
}

Result<void> EnsureSelfSigned(const TlsFiles& files, const std::vector<std::string>& names,
                              const Clock& clock) {
  const Timestamp now = clock.Now();
  if (IsGood(files, names, now)) return {};
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr certificate = key ? MakeCertificate(key.get(), names, now) : nullptr;
  const BioPtr key_text(BIO_new(BIO_s_mem()));
  const BioPtr certificate_text(BIO_new(BIO_s_mem()));
  if (!certificate || !key_text || !certificate_text ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1) {
    return Error{ErrorCode::kUnavailable, "a TLS certificate cannot be made"};
  }
  MILLRACE_RETURN_IF_ERROR(WritePrivateFile(files.key, AsBytes(Text(key_text.get()))));
  MILLRACE_RETURN_IF_ERROR(WritePrivateFile(files.certificate, AsBytes(Text(certificate_text.get()))));
  Log(LogLevel::kInfo, "made a self-signed TLS certificate",
      {{"certificate", files.certificate.string()}, {"key", files.key.string()}});
  return {};
}

}  // namespace millrace::api
