#include "backend/cuda/cublas.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>

#include "vida/error.hpp"

namespace vida::cuda {
namespace {

Cublas loaded() {
  void* library = nullptr;
  std::string reason;
  for (const char* name : {"libcublas.so.13", "libcublas.so.12"}) {
    library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library) break;
    if (reason.empty()) reason = dlerror();
  }
  if (!library)
    throw DeviceError(fmt::format(
        "cuBLAS cannot be loaded ({}). Flows need it on a GPU: install libcublas of CUDA 12 or 13, put it on "
        "LD_LIBRARY_PATH, or use --device cpu.",
        reason));
  Cublas table{};
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (!function) throw DeviceError(fmt::format("cuBLAS has no {}. Install that of CUDA 12 or 13.", name));
  };
  find(table.create, "cublasCreate_v2");
  find(table.destroy, "cublasDestroy_v2");
  find(table.set_stream, "cublasSetStream_v2");
  find(table.set_math_mode, "cublasSetMathMode");
  find(table.gemm_float32, "cublasSgemmStridedBatched");
  find(table.gemm_float64, "cublasDgemmStridedBatched");
  return table;
}

}  // namespace

const Cublas& cublas() {
  static const Cublas table = loaded();  // a failed attempt is repeated by the next call
  return table;
}

}  // namespace vida::cuda
