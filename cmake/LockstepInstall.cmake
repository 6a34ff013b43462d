# cmake --install: the program, the library with its headers, and what find_package(Lockstep) reads.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Lockstep)
install(TARGETS lockstep RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS lockstep_shared EXPORT LockstepTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/lockstep DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT LockstepTargets FILE LockstepConfig.cmake NAMESPACE Lockstep:: DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/LockstepConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/LockstepConfigVersion.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/launch/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME lockstep)

# lockstep-run, with what it sources beside it.
set(launch_dir ${CMAKE_INSTALL_DATADIR}/lockstep/launch)
install(PROGRAMS ${PROJECT_SOURCE_DIR}/launch/lockstep-run DESTINATION ${launch_dir})
install(FILES ${PROJECT_SOURCE_DIR}/launch/mpi.sh DESTINATION ${launch_dir})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/launch/run DESTINATION ${launch_dir} USE_SOURCE_PERMISSIONS)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/launch/slurm DESTINATION ${launch_dir} USE_SOURCE_PERMISSIONS)
install(CODE "file(CREATE_LINK ../${launch_dir}/lockstep-run \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/lockstep-run\" SYMBOLIC)")
