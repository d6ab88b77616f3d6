// A SQLite VFS over the platform's that fails the N-th write, truncate or sync, or the N-th read, once or for good.
#pragma once
#include <sqlite3.h>

#include <cstring>
#include <string>

namespace grym::testing {

// One at a time per process. While it lives, databases opened with vfs = FaultVfs::kName go through it.
class FaultVfs {
 public:
  static constexpr char kName[] = "grym-fault";

  FaultVfs() {
    base_ = sqlite3_vfs_find(nullptr);
    vfs_ = *base_;
    vfs_.pNext = nullptr;
    vfs_.zName = kName;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    vfs_.pAppData = this;
    vfs_.xOpen = &FaultVfs::Open;
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  // Operation number `n` from now (1 is the next) fails with `result`, and all after it if `for_good`.
  void FailAt(int n, bool for_good, int result = SQLITE_FULL) { Arm(n, for_good, result, false); }
  // The same for reads alone.
  void FailReadAt(int n, bool for_good) { Arm(n, for_good, SQLITE_IOERR_READ, true); }
  void Heal() { countdown_ = 0; }
  int failed() const { return failed_; }  // operations refused since FailAt

 private:
  struct File {
    sqlite3_file head;
    FaultVfs* owner;
    sqlite3_io_methods methods;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

  void Arm(int n, bool for_good, int result, bool reads) {
    countdown_ = n;
    for_good_ = for_good;
    result_ = result;
    reads_ = reads;
    failed_ = 0;
  }

  int Count(bool read = false) {
    if (countdown_ == 0 || read != reads_) return SQLITE_OK;
    if (countdown_ > 1) {
      --countdown_;
      return SQLITE_OK;
    }
    ++failed_;
    if (!for_good_) countdown_ = 0;
    return result_;
  }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    auto* self = static_cast<FaultVfs*>(vfs->pAppData);
    File* made = Of(file);
    made->owner = self;
    made->head.pMethods = nullptr;
    std::memset(made->real(), 0, static_cast<size_t>(self->base_->szOsFile));
    const int result = self->base_->xOpen(self->base_, name, made->real(), flags, out_flags);
    if (!made->real()->pMethods) return result;
    Forward(*made->real()->pMethods, made->methods);
    made->head.pMethods = &made->methods;
    return result;
  }

  static void Forward(const sqlite3_io_methods& real, sqlite3_io_methods& methods) {
    methods = real;
    methods.xClose = [](sqlite3_file* f) { return Of(f)->real()->pMethods->xClose(Of(f)->real()); };
    methods.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      const int fault = Of(f)->owner->Count(true);
      return fault != SQLITE_OK ? fault : Of(f)->real()->pMethods->xRead(Of(f)->real(), to, n, at);
    };
    methods.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      const int fault = Of(f)->owner->Count();
      return fault != SQLITE_OK ? fault : Of(f)->real()->pMethods->xWrite(Of(f)->real(), from, n, at);
    };
    methods.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) {
      const int fault = Of(f)->owner->Count();
      return fault != SQLITE_OK ? fault : Of(f)->real()->pMethods->xTruncate(Of(f)->real(), n);
    };
    // Counted, not done: walks have thousands, and what a power loss leaves is not their subject.
    methods.xSync = [](sqlite3_file* f, int) {
      return Of(f)->owner->Count() != SQLITE_OK ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    };
    methods.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
      return Of(f)->real()->pMethods->xFileSize(Of(f)->real(), n);
    };
    methods.xLock = [](sqlite3_file* f, int level) { return Of(f)->real()->pMethods->xLock(Of(f)->real(), level); };
    methods.xUnlock = [](sqlite3_file* f, int level) { return Of(f)->real()->pMethods->xUnlock(Of(f)->real(), level); };
    methods.xCheckReservedLock = [](sqlite3_file* f, int* out) {
      return Of(f)->real()->pMethods->xCheckReservedLock(Of(f)->real(), out);
    };
    methods.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return Of(f)->real()->pMethods->xFileControl(Of(f)->real(), op, arg);
    };
    methods.xSectorSize = [](sqlite3_file* f) { return Of(f)->real()->pMethods->xSectorSize(Of(f)->real()); };
    methods.xDeviceCharacteristics = [](sqlite3_file* f) {
      return Of(f)->real()->pMethods->xDeviceCharacteristics(Of(f)->real());
    };
    methods.xShmMap = [](sqlite3_file* f, int page, int bytes, int extend, void volatile** out) {
      return Of(f)->real()->pMethods->xShmMap(Of(f)->real(), page, bytes, extend, out);
    };
    methods.xShmLock = [](sqlite3_file* f, int at, int n, int flags) {
      return Of(f)->real()->pMethods->xShmLock(Of(f)->real(), at, n, flags);
    };
    methods.xShmBarrier = [](sqlite3_file* f) { Of(f)->real()->pMethods->xShmBarrier(Of(f)->real()); };
    methods.xShmUnmap = [](sqlite3_file* f, int remove) {
      return Of(f)->real()->pMethods->xShmUnmap(Of(f)->real(), remove);
    };
    methods.xFetch = [](sqlite3_file* f, sqlite3_int64 at, int n, void** out) {
      return Of(f)->real()->pMethods->xFetch(Of(f)->real(), at, n, out);
    };
    methods.xUnfetch = [](sqlite3_file* f, sqlite3_int64 at, void* page) {
      return Of(f)->real()->pMethods->xUnfetch(Of(f)->real(), at, page);
    };
  }

  sqlite3_vfs* base_ = nullptr;
  sqlite3_vfs vfs_{};
  int countdown_ = 0;
  bool for_good_ = false, reads_ = false;
  int result_ = SQLITE_FULL;
  int failed_ = 0;
};

}  // namespace grym::testing
