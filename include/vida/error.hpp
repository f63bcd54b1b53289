#pragma once

#include <stdexcept>
#include <string>

namespace vida {

/// Every failure the library reports. what() is one clear message: what is wrong, where, the value found, what was
/// expected, and what to do. The library never prints, exits or aborts.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An argument, a setting or a shape is not usable; found before any computation starts.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// A file cannot be read, written or understood.
class FileError : public Error {
 public:
  using Error::Error;
};

/// The requested device is not there, or it failed.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// Memory of the host or the device is exhausted; the message names the bytes that were asked for.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

}  // namespace vida
