
# Copyright (C) the tscast authors


# make                          against Debian's nginx-dev, into build/
# make NGINX_SRC=/path/to/nginx against any source tree; nothing is written
#                               to it, and build/nginx is the matching binary
# make STATIC=1 NGINX_SRC=...   build/nginx with the modules linked in
#
# make RTMP_SRC=/path/to/nginx-rtmp-module
#                               the source that nginx-rtmp was built from, for
#                               the rtmp doors; .ci/setup brings Debian's
#                               into build/, where it is found
#
# CC=clang, CFLAGS_EXTRA=..., NGINX_CONFIGURE="options of nginx's configure",
# NGINX_STREAM= (no stream), BUILD=folder, SANITIZE=1, VALGRIND=1

SHELL = /bin/bash

ifeq ($(origin CC), default)
CC = gcc
endif

MODULES = ngx_tscast_module $(if $(NGINX_STREAM),ngx_stream_tscast_module) \
	$(if $(rtmp),ngx_rtmp_tscast_module)

SANITIZERS = -fsanitize=address,undefined -fno-sanitize=nonnull-attribute
DEBIAN_SRC = /usr/share/nginx/src

NGINX_SRC ?= $(DEBIAN_SRC)
NGINX_STREAM ?= --with-stream --with-stream_ssl_module \
	--with-stream_ssl_preread_module
NGINX_CONFIGURE ?= --with-compat --with-debug --with-threads \
	--with-http_ssl_module --with-http_v2_module \
	--with-http_auth_request_module --with-http_realip_module \
	--with-http_secure_link_module --with-http_sub_module \
	--with-http_stub_status_module \
	--error-log-path=stderr

cc_opt = -O2 -g -Wall -Wextra -Wno-unused-parameter
ld_opt =

ifdef SANITIZE
BUILD ?= build/sanitize
cc_opt += $(SANITIZERS) -fno-omit-frame-pointer -U_FORTIFY_SOURCE \
	-DNGX_HAVE_NONALIGNED=0 -DNGX_DEBUG_PALLOC=1
ld_opt += $(SANITIZERS)
endif

BUILD ?= build
cc_opt += $(CFLAGS_EXTRA)

build := $(abspath $(BUILD))
src := $(abspath $(NGINX_SRC))
tree := $(build)/tree
objs := $(tree)/objs

ifneq ($(wildcard $(src)/conf_flags),)
debian = yes
RTMP_SRC ?= $(lastword $(sort $(wildcard build/nginx-rtmp-module-*)))
endif

rtmp := $(patsubst %/ngx_rtmp.h,%,\
	$(wildcard $(if $(RTMP_SRC),$(abspath $(RTMP_SRC))/ngx_rtmp.h)))

add_module = $(if $(STATIC),--add-module,--add-dynamic-module)

ifdef STATIC
targets = $(build)/nginx
else
targets = $(MODULES:%=$(build)/%.so)
ifndef debian
targets += $(build)/nginx $(if $(rtmp),$(build)/ngx_rtmp_module.so)
endif
endif

quote = '$(subst ','\'',$(strip $(1)))'
stamp := $(shell stat -L -c '%n %Y %s' $(src)/src/core/nginx.h 2>&1)
settings = $(CC) / $(cc_opt) / $(ld_opt) / $(STATIC) / $(NGINX_STREAM) / \
	$(NGINX_CONFIGURE) / $(rtmp) / $(stamp)

includes = $(tree)/src/core $(tree)/src/event $(tree)/src/event/modules \
	$(tree)/src/os/unix $(objs)


# two makes at a time wait for each other

locked = mkdir -p $(build) && flock $(build)/lock \
	$(MAKE) --no-print-directory


.PHONY: all modules tree install uninstall \
	lint unit-programs unit fuzz test bench clean FORCE

all:
	+@$(locked) modules

tree: $(objs)/Makefile

$(build)/settings: FORCE
	@echo $(call quote,$(settings)) | cmp -s - $@ \
		|| echo $(call quote,$(settings)) > $@

# nginx's configure writes a Makefile where it runs: a folder of links

$(objs)/Makefile: $(build)/settings config
	@[ -d $(src)/auto ] || { echo "$(src) is not an nginx source tree:" \
		"run .ci/setup or say NGINX_SRC=" >&2; exit 1; }
	@rm -rf $(tree) $(build)/*.so $(build)/nginx $(build)/unit*
	@mkdir -p $(tree)
	@ln -s $(src)/* $(tree)/
	@rm -rf $(tree)/objs $(tree)/Makefile
	@cd $(tree); \
	NGX_CONF_FLAGS=($(NGINX_CONFIGURE)); \
	[ ! -f conf_flags ] || . ./conf_flags; \
	configure=auto/configure; \
	[ -f $$configure ] || configure=./configure; \
	echo "configuring in $(tree)$(if $(rtmp),,, without rtmp doors: no \
		source of nginx-rtmp, run .ci/setup or say RTMP_SRC=)"; \
	export TSCAST_RTMP_INC=$(call quote,$(rtmp)); \
	$$configure "$${NGX_CONF_FLAGS[@]}" $(NGINX_STREAM) \
		--builddir=objs --with-cc=$(call quote,$(CC)) \
		--with-cc-opt=$(call quote,$(cc_opt)) \
		--with-ld-opt=$(call quote,$(ld_opt)) \
		$(if $(debian),,$(rtmp:%=$(add_module)=%)) \
		$(add_module)=$(CURDIR) \
		> $(build)/configure.log 2>&1 \
	|| { rc=$$?; tail -n 20 $(build)/configure.log; exit $$rc; }

modules: $(objs)/Makefile
	@$(MAKE) -s -C $(tree) -f objs/Makefile \
		$(if $(STATIC),binary,modules $(if $(debian),,binary))
	@for file in $(notdir $(targets)); do \
		cmp -s $(objs)/$$file $(build)/$$file && continue; \
		cp $(objs)/$$file $(build)/.$$file \
		&& mv $(build)/.$$file $(build)/$$file || exit 1; \
		echo "built $(BUILD)/$$file"; \
	done

clean:
	rm -rf build
	$(if $(filter-out build,$(BUILD)),rm -rf $(BUILD))


# install: the hub is loaded before the doors, and these behind what they need
# of nginx's own; stream doors only where Debian's stream module is loaded

MODULES_DIR ?= /usr/lib/nginx/modules
AVAILABLE_DIR ?= /usr/share/nginx/modules-available
ENABLED_DIR ?= /etc/nginx/modules-enabled

load_dir = $(if $(filter /usr/lib/nginx/modules,$(MODULES_DIR)),\
	modules,$(MODULES_DIR))

conf_of = $(subst _,-,$(1:ngx_%_module=mod-%.conf))
enabled_of = $(if $(filter ngx_tscast_module,$(1)),60,70)-$(conf_of)

loadable = $(filter-out $(foreach door,stream rtmp,\
	$(if $(wildcard $(ENABLED_DIR)/*-mod-$(door).conf),,\
		ngx_$(door)_tscast_module)),$(MODULES))

define install_module
	install -m 644 $(build)/$(1).so $(DESTDIR)$(MODULES_DIR)/.$(1).so
	mv $(DESTDIR)$(MODULES_DIR)/.$(1).so $(DESTDIR)$(MODULES_DIR)/$(1).so

endef

define install_conf
	echo "load_module $(strip $(load_dir))/$(1).so;" \
		> $(DESTDIR)$(AVAILABLE_DIR)/$(conf_of)

endef

define enable_conf
	ln -sf $(AVAILABLE_DIR)/$(conf_of) \
		$(DESTDIR)$(ENABLED_DIR)/$(enabled_of)

endef

install: $(if $(wildcard $(targets)),,all)
	install -d $(DESTDIR)$(MODULES_DIR)
	$(foreach module,$(MODULES),$(call install_module,$(module)))
ifneq ($(AVAILABLE_DIR),)
	install -d $(DESTDIR)$(AVAILABLE_DIR)
	$(foreach module,$(MODULES),$(call install_conf,$(module)))
ifneq ($(ENABLED_DIR),)
	install -d $(DESTDIR)$(ENABLED_DIR)
	$(foreach module,$(loadable),$(call enable_conf,$(module)))
endif
endif

uninstall:
	rm -f $(MODULES:%=$(DESTDIR)$(MODULES_DIR)/%.so)
ifneq ($(AVAILABLE_DIR),)
	rm -f $(foreach module,$(MODULES),\
		$(DESTDIR)$(AVAILABLE_DIR)/$(call conf_of,$(module)))
ifneq ($(ENABLED_DIR),)
	rm -f $(foreach module,$(MODULES),\
		$(DESTDIR)$(ENABLED_DIR)/$(call enabled_of,$(module)))
endif
endif


# tests

# unit tests: as they are, and sanitized

unit_make = $(MAKE) -C t/unit CC=$(call quote,$(CC)) \
	NGX_INC=$(call quote,$(includes:%=-I%))
unit_cflags = -g -O2 $(CFLAGS_EXTRA)

unit-programs:
	+@$(locked) tree
	+@$(unit_make) OUT=$(build)/unit CFLAGS=$(call quote,$(unit_cflags))
	+@$(unit_make) OUT=$(build)/unit-sanitize \
		CFLAGS=$(call quote,$(unit_cflags) $(SANITIZERS))

unit: unit-programs
	@for dir in unit unit-sanitize; do \
		for test in $(build)/$$dir/test_*; do \
			echo "$$dir/$$(basename $$test)"; \
			$$test || exit 1; \
		done \
	done

fuzz:
	+@$(locked) tree
	@$(MAKE) -C t/fuzz run OUT=$(build)/fuzz \
		NGX_INC=$(call quote,$(includes:%=-I%))

lint:
	@.ci/lint

test: all
	@TSCAST_BUILD=$(build) SANITIZE=$(SANITIZE) VALGRIND=$(VALGRIND) \
		t/prove $(TESTS)


# figures, not tests: make bench, make bench ONLY=joins,
# make bench ONLY="watch2 rounds=1"; t/bench/run list

bench: all
	@$(MAKE) -s --no-print-directory -C t/bench OUT=$(build)/bench \
		CC=$(call quote,$(CC)) NGX_INC=$(call quote,$(includes:%=-I%))
	@$(unit_make) -s --no-print-directory OUT=$(build)/unit \
		CFLAGS=$(call quote,$(unit_cflags)) $(build)/unit/ts_flv
	@TSCAST_BUILD=$(build) t/bench/run $(ONLY)
